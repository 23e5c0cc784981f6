package main

import (
	"context"
	"fmt"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func removeCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "remove",
		Usage:       "take away a VM's five families",
		Description: "What is gone already counts as removed.",
		Flags:       flags(),
		Action: logged(func(c *urfave.Context) error {
			if _, err := cli.Args(c); err != nil {
				return err
			}
			return withUnit(c, func(ctx context.Context, client *comet.Client, unit orca.Unit) error {
				removed, err := am.Remove(ctx, client, unit)
				if err != nil {
					return err
				}
				if absent := len(scope.InstanceFamilies()) - removed; absent > 0 {
					fmt.Fprintf(c.App.ErrWriter, "%s: %d entries removed; %d are not there, or the read token is wrong\n", c.App.Name, removed, absent)
				}
				_, err = fmt.Fprintln(c.App.Writer, "OK") // what handlers look for
				return err
			})
		}),
	}
}
