package sliceverbs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/scope"
)

func showCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "show",
		Usage: "show what stands of a slice, and which VMs have reported",
		Description: "A VM has reported when it has filled in all of its entries; since when is - where the heads do not say. Nothing at all is\n" +
			"what a wrong read token shows as well.",
		Flags:  mayNameSlice(),
		Action: show,
	}
}

func show(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	slice, tokens, err := standing(c)
	if err != nil {
		return err
	}
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctl, _ := open(c, conn, "")
	vms, err := ctl.Show(ctx, slice, tokens)
	if err != nil {
		return err
	}
	shown := shownSlice{SliceID: slice.ID, VMs: []shownVM{}}
	t := cli.Table{Header: []string{"HOST", "RESERVATION", "REPORTED", "SINCE", "ADDRESS", "MISSING"}, Empty: nothing}
	there := false
	for _, vm := range vms {
		shown.add(vm)
		missing := missingOf(vm)
		if !vm.Listed && cli.Given(c, "slice") != "" {
			missing = strings.TrimSpace(missing + " (not in the slice file)")
		}
		for _, e := range vm.Entries {
			there = there || e.State != controller.Missing
		}
		t.Rows = append(t.Rows, []string{dash(vm.HostName), vm.ReservationID.String(), reported(vm), when(vm.Since()), address(vm), dash(missing)})
	}
	if !there && len(vms) > 0 {
		fmt.Fprintln(c.App.ErrWriter, nothing)
	}
	return cli.Print(c, shown, func() cli.Table { return t })
}

const nothing = "nothing is there, or the read token is wrong"

// shownSlice is what stands of a slice, as data.
type shownSlice struct {
	SliceID  scope.ContextID `json:"sliceId"`
	Expected int             `json:"expected"` // VMs that can report: all but LUNs
	Reported int             `json:"reported"`
	VMs      []shownVM       `json:"vms"`
}

type shownVM struct {
	HostName      string       `json:"hostName,omitempty"`
	ReservationID scope.Key    `json:"reservationId"`
	Type          string       `json:"type,omitempty"`
	Reported      bool         `json:"reported"`
	Since         time.Time    `json:"since,omitzero"`
	Address       string       `json:"address,omitempty"`
	Entries       []shownEntry `json:"entries"`
}

type shownEntry struct {
	Family   scope.Family     `json:"family"`
	State    controller.State `json:"state"` // missing, waiting, reported, odd
	Modified time.Time        `json:"modified,omitzero"`
}

func (s *shownSlice) add(vm controller.VMStatus) {
	v := shownVM{HostName: vm.HostName, ReservationID: vm.ReservationID, Type: vm.Type, Reported: vm.Reported(), Since: vm.Since(), Entries: []shownEntry{}}
	if vm.Address.IsValid() {
		v.Address = vm.Address.String()
	}
	for _, e := range vm.Entries {
		v.Entries = append(v.Entries, shownEntry(e))
	}
	if !vm.IsLUN() {
		s.Expected++
	}
	if vm.Reported() {
		s.Reported++
	}
	s.VMs = append(s.VMs, v)
}

// reported says it in a word. Nobody may wait for a LUN.
func reported(vm controller.VMStatus) string {
	switch {
	case vm.Reported():
		return "yes"
	case vm.IsLUN():
		return "a LUN never does"
	}
	return "no"
}

// missingOf says what is not as it will be once the VM has reported.
func missingOf(vm controller.VMStatus) string {
	var missing []string
	for _, e := range vm.Entries {
		switch family := e.Family.String(); {
		case e.State == controller.Missing:
			missing = append(missing, family+" (not there)")
		case e.State == controller.Odd:
			missing = append(missing, family+" (makes no sense)")
		case e.State == controller.Waiting && !vm.IsLUN():
			missing = append(missing, family)
		}
	}
	slices.Sort(missing)
	return strings.Join(missing, ", ")
}

func address(vm controller.VMStatus) string {
	if !vm.Address.IsValid() {
		return "-"
	}
	return vm.Address.String()
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.RFC3339)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
