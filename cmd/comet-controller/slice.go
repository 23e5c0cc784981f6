package main

import (
	"fmt"
	"os"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func flags(more ...urfave.Flag) []urfave.Flag {
	own := []urfave.Flag{
		&urfave.StringFlag{Name: "slice", Usage: "slice `FILE`, JSON or YAML (required)"},
		&urfave.StringFlag{Name: "tokens", Usage: "`FILE` of mode 0600 that keeps the slice's tokens (required)"},
		cli.OutputFlag(),
	}
	return append(append(own, more...), cli.HeadFlags()...)
}

func createCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "create",
		Usage: "put down the place-holders of a slice's VMs",
		Description: "What stands already is kept, so that it may be repeated. When it fails, what it created is withdrawn.\n" +
			"Which kinds of place-holders there are, orca.comet.hosts.enabled and orca.comet.pubkeys.enabled of --config say; without\n" +
			"--config, both.",
		Flags: flags(&urfave.StringFlag{Name: "properties-dir", Usage: "write the properties that each VM gets into `DIR`/HOSTNAME.properties, mode 0600"}),
		Action: func(c *urfave.Context) error {
			slice, err := loadSlice(c)
			if err != nil {
				return err
			}
			if dir := c.String("properties-dir"); dir != "" {
				if err := os.MkdirAll(dir, 0o700); err != nil {
					return cli.Input(fmt.Errorf("--properties-dir: %w", err))
				}
			}
			tokens, err := controller.OpenTokens(c.Context, c.String("tokens"), slice)
			if err != nil {
				return cli.Input(err)
			}
			ctx, conn, err := cli.Connect(c)
			if err != nil {
				return err
			}
			defer conn.Close()
			ctl := controller.New(conn.Client, settings(c, conn))
			if !ctl.Hosts && !ctl.PubKeys {
				return cli.Say(c, shownCreated{SliceID: slice.ID},
					fmt.Sprintf("slice %s: nothing to do: orca.comet.hosts.enabled and orca.comet.pubkeys.enabled are not true", slice.ID))
			}
			created, err := ctl.Create(ctx, slice, tokens)
			if err != nil {
				return err
			}
			if err := writeProperties(c.String("properties-dir"), ctl, slice, tokens); err != nil {
				return err
			}
			return cli.Say(c, shownCreated{slice.ID, created.New, created.Kept}, fmt.Sprintf("slice %s: %s", slice.ID, created))
		},
	}
}

func deleteCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "delete",
		Usage:       "remove the entries of a slice's VMs",
		Description: "What is not there is no error, so that it may be repeated. The token file stays.",
		Flags:       flags(),
		Action: func(c *urfave.Context) error {
			slice, err := loadSlice(c)
			if err != nil {
				return err
			}
			tokens, err := controller.LoadTokens(c.String("tokens"))
			if err != nil {
				return cli.Input(err)
			}
			ctx, conn, err := cli.Connect(c)
			if err != nil {
				return err
			}
			defer conn.Close()
			deleted, err := controller.New(conn.Client, settings(c, conn)).Delete(ctx, slice, tokens)
			if err != nil {
				return err
			}
			return cli.Say(c, shownDeleted{slice.ID, deleted.Removed, deleted.Absent}, fmt.Sprintf("slice %s: %s", slice.ID, deleted))
		},
	}
}

type shownCreated struct {
	SliceID scope.ContextID `json:"sliceId"`
	Created int             `json:"created"`
	Kept    int             `json:"kept"` // that stood already
}

type shownDeleted struct {
	SliceID scope.ContextID `json:"sliceId"`
	Removed int             `json:"removed"`
	Absent  int             `json:"absent"` // gone, never put down, or not shown by these tokens
}

func loadSlice(c *urfave.Context) (orca.Slice, error) {
	if err := cli.CheckOutput(c); err != nil {
		return orca.Slice{}, err
	}
	if _, err := cli.Args(c); err != nil {
		return orca.Slice{}, err
	}
	if err := cli.Required(c, "slice", "tokens"); err != nil {
		return orca.Slice{}, err
	}
	slice, err := orca.LoadSlice(c.String("slice"))
	return slice, cli.Input(err)
}

func settings(c *urfave.Context, conn *cli.Connection) controller.Settings {
	if cli.Given(c, "config") == "" {
		return controller.Settings{Hosts: true, PubKeys: true}
	}
	return controller.FromConfig(conn.Spec.Config)
}

// writeProperties writes, for each VM, what the controller records in the VM's properties.
func writeProperties(dir string, ctl *controller.Controller, slice orca.Slice, tokens controller.Tokens) error {
	if dir == "" {
		return nil
	}
	for _, vm := range slice.VMs {
		if !vm.NeedsContext() {
			continue
		}
		path := filepath.Join(dir, vm.HostName+".properties")
		if err := orca.SaveProperties(path, ctl.Access(slice, tokens, vm).Properties()...); err != nil {
			return fmt.Errorf("properties of %s: %w", vm.HostName, err)
		}
	}
	return nil
}
