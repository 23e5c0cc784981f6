package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// sliceVM is a VM of the slice file with what is to be put down for it.
type sliceVM struct {
	orca.VM
	am.Member
}

// generateSlice puts down what all VMs of a slice need.
func generateSlice(c *urfave.Context) error {
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	if len(c.StringSlice("properties")) > 0 || cli.Given(c, "save") != "" {
		return cli.Usage("the slice file names the properties, --save-dir the folder of the tokens", "--slice takes neither --properties nor --save")
	}
	if err := cli.Required(c, "save-dir"); err != nil {
		return err
	}
	vms, err := loadSlice(c)
	if err != nil {
		return err
	}
	ctx, conn, err := connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := openTokens(ctx, c.String("save-dir"), vms); err != nil {
		return cli.Input(err)
	}
	members := make([]am.Member, len(vms))
	for i, vm := range vms {
		members[i] = vm.Member
	}
	show := cli.NewProgress(c, "VMs")
	results := am.PublishSlice(ctx, conn.Client, members, show.Step)
	show.End()
	return tell(c, vms, results)
}

// loadSlice reads the slice file and all that it names, so that nothing is written where any of it makes no sense.
func loadSlice(c *urfave.Context) ([]sliceVM, error) {
	path := c.String("slice")
	slice, err := orca.LoadSlice(path)
	if err != nil {
		return nil, cli.Input(err)
	}
	var vms []sliceVM
	for i, of := range slice.VMs {
		if !of.NeedsContext() || of.IsLUN() {
			continue // nobody there who would read it
		}
		if of.Properties == "" {
			return nil, cli.Input(fmt.Errorf("%s: vms[%d].properties: is missing; they say what the VM needs", path, i))
		}
		vm, err := loadVM(c, slice.ID, of)
		if err != nil {
			return nil, err
		}
		vms = append(vms, vm)
	}
	return vms, nil
}

func loadVM(c *urfave.Context, id scope.ContextID, of orca.VM) (vm sliceVM, err error) {
	vm.VM = of
	files, err := readFiles(c, of.Properties)
	if err != nil {
		return vm, err
	}
	if vm.Unit, err = orca.NewUnit(files.Properties); err != nil {
		return vm, files.blame(err)
	}
	if vm.Families, err = am.Generate(files.Properties); err != nil {
		return vm, files.blame(err)
	}
	u := &vm.Unit
	switch {
	case !u.SliceID.IsZero() && u.SliceID != id:
		return vm, files.blame(files.Errorf("unit.sliceid", "is not the sliceId of the slice file"))
	case !u.ReservationID.IsZero() && u.ReservationID != of.ReservationID:
		return vm, files.blame(files.Errorf("unit.rid", "is not the reservationId of %s in the slice file", of.HostName))
	}
	u.SliceID, u.ReservationID, u.HostName = id, of.ReservationID, of.HostName
	return vm, nil
}

// openTokens finds or makes the tokens of every VM. All are on disk when it returns.
func openTokens(ctx context.Context, dir string, vms []sliceVM) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--save-dir: %w", err)
	}
	return comet.Each(ctx, pointers(vms), comet.Bulk{}, func(ctx context.Context, vm *sliceVM) (err error) {
		path := filepath.Join(dir, vm.VM.HostName+".saved")
		_, missing := os.Stat(path)
		vm.Fresh = errors.Is(missing, fs.ErrNotExist) && vm.Unit.Tokens == scope.Tokens{}
		vm.Unit.Tokens, err = am.OpenTokens(ctx, path, vm.Unit)
		return err
	})
}

func pointers[T any](list []T) []*T {
	all := make([]*T, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	return all
}

// shownVM is a VM as data.
type shownVM struct {
	HostName      string     `json:"hostName"`
	ReservationID scope.Key  `json:"reservationId"`
	Outcome       am.Outcome `json:"outcome"`
	Error         string     `json:"error,omitempty"`
	IfaceList     string     `json:"ifaceList"` // as handlers get it, every one followed by a blank
}

// tell prints what came of every VM; its error says that some failed.
func tell(c *urfave.Context, vms []sliceVM, results []am.Result) error {
	shown := make([]shownVM, len(vms))
	count := map[am.Outcome]int{}
	var first error
	for i, r := range results {
		count[r.Outcome]++
		shown[i] = shownVM{vms[i].VM.HostName, vms[i].VM.ReservationID, r.Outcome, "", vms[i].Families.IfaceList()}
		if r.Err != nil {
			shown[i].Error = cli.OneLine(r.Err)
			if first == nil {
				first = r.Err
			}
		}
	}
	err := cli.Print(c, shown, func() cli.Table {
		t := cli.Table{Header: []string{"VM", "OUTCOME", "WHY"}, Empty: "no VM in the slice file has anything to be put down"}
		for _, s := range shown {
			t.Rows = append(t.Rows, []string{s.HostName, string(s.Outcome), s.Error})
		}
		return t
	})
	fmt.Fprintf(c.App.ErrWriter, "%s: %d VMs: %d written, %d kept, %d failed\n", c.App.Name, len(vms), count[am.Written], count[am.Kept], count[am.Failed])
	if first != nil {
		return errors.Join(fmt.Errorf("%d of %d VMs failed, the first: %w", count[am.Failed], len(vms), first), err)
	}
	return err
}
