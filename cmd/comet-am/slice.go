package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

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
	without string // why there is nothing to be put down; empty where there is
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
	all, err := loadSlice(c)
	if err != nil {
		return err
	}
	vms := slices.DeleteFunc(pointers(all), func(vm *sliceVM) bool { return vm.without != "" })
	ctx, conn, err := connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := openTokens(ctx, c, vms); err != nil {
		return tokenError(err)
	}
	members := make([]am.Member, len(vms))
	for i, vm := range vms {
		members[i] = vm.Member
	}
	show := cli.NewProgress(c, "VMs")
	results := am.PublishSlice(ctx, conn.Client, members, am.SliceOptions{Replace: c.Bool("replace"), Progress: show.Step})
	show.End()
	return tell(c, all, results)
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
		if why := without(of); why != "" {
			vms = append(vms, sliceVM{VM: of, without: why})
			continue
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

// without says why a VM of the slice file has nothing that could be put down.
func without(vm orca.VM) string {
	switch {
	case vm.IsLUN():
		return "storage has no guest who would read it"
	case !vm.NeedsContext():
		return fmt.Sprintf("type %s gets no context; those that end in vm, baremetalce or lun do", vm.Type)
	}
	return ""
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
func openTokens(ctx context.Context, c *urfave.Context, vms []*sliceVM) error {
	dir := c.String("save-dir")
	if len(vms) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return cli.Input(fmt.Errorf("--save-dir: %w", err))
	}
	show := cli.NewProgress(c, "tokens of VMs")
	defer show.End()
	return comet.Each(ctx, vms, comet.Bulk{Progress: show.Step}, func(ctx context.Context, vm *sliceVM) (err error) {
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
