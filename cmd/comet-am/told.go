package main

import (
	"errors"
	"fmt"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/scope"
)

// leftOut is the outcome of a VM for which there is nothing that could be put down.
const leftOut am.Outcome = "left out"

// outcomes are all that there are, in the order in which they are counted.
var outcomes = []am.Outcome{am.Written, am.Replaced, am.Kept, am.Differs, leftOut, am.Failed}

// shownVM is a VM as data.
type shownVM struct {
	HostName      string         `json:"hostName"`
	ReservationID scope.Key      `json:"reservationId"`
	Outcome       am.Outcome     `json:"outcome"`
	Differ        []scope.Family `json:"differ,omitempty"` // families that were there, and not as the properties say
	Error         string         `json:"error,omitempty"`
	IfaceList     string         `json:"ifaceList"` // as handlers get it, every one followed by a blank

	why string // for the table
}

// tell prints what came of every VM of the slice file; its error says that some failed. results are of those that were not left out.
func tell(c *urfave.Context, vms []sliceVM, results []am.Result) error {
	shown := make([]shownVM, len(vms))
	var first error
	failed := 0
	for i, vm := range vms {
		r := am.Result{Outcome: leftOut}
		if vm.without == "" {
			r, results = results[0], results[1:]
		}
		if shown[i] = show(vm, r); r.Err == nil {
			continue
		}
		if failed++; first == nil {
			first = r.Err
		}
	}
	err := cli.Print(c, shown, func() cli.Table { return table(shown) })
	if form := c.String("output"); err == nil && (form == "table" || form == "") {
		_, err = fmt.Fprintln(c.App.Writer, summary(c, vms, shown))
	}
	if first != nil {
		return errors.Join(fmt.Errorf("%d of %d VMs failed, the first: %w", failed, len(vms), first), err)
	}
	return err
}

func show(vm sliceVM, r am.Result) shownVM {
	s := shownVM{HostName: vm.VM.HostName, ReservationID: vm.VM.ReservationID, Outcome: r.Outcome, Differ: r.Differ,
		IfaceList: vm.Families.IfaceList(), why: vm.without}
	switch {
	case errors.Is(r.Err, am.ErrNotBegun):
		s.Error, s.why = cli.OneLine(r.Err), "not begun"
	case r.Err != nil:
		s.Error, s.why = cli.OneLine(r.Err), cli.OneLine(errors.Unwrap(r.Err)) // the VM is named beside it
	case r.Outcome == am.Differs:
		s.why = names(r.Differ) + ": not as the properties say; --replace puts that down again"
	case r.Outcome == am.Replaced:
		s.why = names(r.Differ)
	}
	return s
}

func names(families []scope.Family) string {
	var list []string
	for _, f := range families {
		list = append(list, f.String())
	}
	return strings.Join(list, ", ")
}

// table says a reason that many VMs share once.
func table(shown []shownVM) cli.Table {
	t := cli.Table{Header: []string{"VM", "OUTCOME", "WHY"}}
	before := ""
	for _, s := range shown {
		why := s.why
		if s.Error != "" && why == before {
			why = "the same"
		}
		before = s.why
		t.Rows = append(t.Rows, []string{s.HostName, string(s.Outcome), why})
	}
	return t
}

// summary counts, and says where tokens were made: for what somebody has put down already under others, these make a second set of entries.
func summary(c *urfave.Context, vms []sliceVM, shown []shownVM) string {
	var parts []string
	for _, outcome := range outcomes {
		n := 0
		for _, s := range shown {
			if s.Outcome == outcome {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	fresh := 0
	for _, vm := range vms {
		if vm.Fresh {
			fresh++
		}
	}
	text := fmt.Sprintf("VMs: %s", strings.Join(parts, ", "))
	if fresh > 0 {
		text += fmt.Sprintf("; new tokens made for %d, in %s", fresh, c.String("save-dir"))
	}
	return text
}
