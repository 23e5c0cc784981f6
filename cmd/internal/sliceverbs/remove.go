package sliceverbs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func withdrawCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "withdraw",
		Usage:     "remove single VMs or LUNs of a slice that goes on",
		ArgsUsage: "VM…",
		Description: "VM is a host name or a reservation ID. Everything that the slice's read token shows of it goes.\n" +
			"What is not there is no error, so that it may be repeated. The token file keeps its write token.",
		Flags: mayNameSlice(),
		Action: func(c *urfave.Context) error {
			args, err := cli.Args(c, slices.Repeat([]string{"VM"}, max(1, c.NArg()))...)
			if err != nil {
				return err
			}
			slice, tokens, err := standing(c)
			if err != nil {
				return err
			}
			keys, err := keysOf(slice, tokens, args)
			if err != nil {
				return err
			}
			return remove(c, func(ctx context.Context, ctl *controller.Controller) (controller.Deleted, error) {
				return ctl.Withdraw(ctx, c.String("tokens"), keys...)
			}, slice.ID)
		},
	}
}

func deleteCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "delete",
		Usage: "remove a slice: the entries of all its VMs",
		Description: "Everything goes that the slice's read token shows of VMs that the token file knows. What is not there is no error,\n" +
			"so that what was interrupted is finished by a repeat. The token file stays.",
		Flags: mayNameSlice(),
		Action: func(c *urfave.Context) error {
			if _, err := cli.Args(c); err != nil {
				return err
			}
			slice, _, err := standing(c)
			if err != nil {
				return err
			}
			return remove(c, func(ctx context.Context, ctl *controller.Controller) (controller.Deleted, error) {
				return ctl.Delete(ctx, c.String("tokens"))
			}, slice.ID)
		},
	}
}

func remove(c *urfave.Context, do func(context.Context, *controller.Controller) (controller.Deleted, error), id scope.ContextID) error {
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctl, end := open(c, conn, "removing")
	deleted, err := do(ctx, ctl)
	end()
	if err != nil {
		return fmt.Errorf("%w; %d entries were removed: %s", few{err}, deleted.Removed, hint(err))
	}
	return cli.Say(c, shownDeleted{id, deleted.Removed, deleted.Absent}, fmt.Sprintf("slice %s: %s", id, deleted))
}

// hint says how the rest may go.
func hint(err error) string {
	if errors.Is(err, comet.ErrNoWriteToken) && !errors.Is(err, comet.ErrUnavailable) && !errors.Is(err, context.Canceled) {
		return "the rest takes the token file of whoever put it there"
	}
	return "repeat it to remove the rest"
}

// few tells the first of many errors: of a large slice each batch may have failed in the same way.
type few struct{ error }

const fewErrors = 4

func (f few) Error() string {
	lines := strings.Split(f.error.Error(), "\n")
	if len(lines) <= fewErrors {
		return f.error.Error()
	}
	return strings.Join(lines[:fewErrors], "\n") + fmt.Sprintf("\nand %d more", len(lines)-fewErrors)
}

func (f few) Unwrap() error { return f.error }

type shownDeleted struct {
	SliceID scope.ContextID `json:"sliceId"`
	Removed int             `json:"removed"`
	Absent  int             `json:"absent"` // gone, never put down, or not shown by these tokens
}

// keysOf finds VMs by host name or reservation ID, also those that have left. One that nobody knows is an error.
func keysOf(s orca.Slice, tokens controller.Tokens, names []string) (keys []scope.Key, err error) {
	vms := slices.Concat(s.VMs, tokens.VMs, tokens.Withdrawn)
	for _, name := range names {
		key, err := scope.ParseKey(name)
		if err != nil {
			return nil, cli.Input(fmt.Errorf("VM: %w", err))
		}
		i := slices.IndexFunc(vms, func(vm orca.VM) bool {
			return vm.ReservationID == key || strings.EqualFold(vm.HostName, scope.CanonicalHostName(name))
		})
		if i >= 0 {
			key = vms[i].ReservationID
		}
		if tokens.Write[key].IsZero() {
			return nil, cli.Usage("show says what there is", "no VM %q of slice %s has a write token in the token file", name, s.ID)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
