package main

import (
	"fmt"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func flags(more ...urfave.Flag) []urfave.Flag {
	own := []urfave.Flag{&urfave.StringSliceFlag{Name: "properties", Usage: "unit properties `FILE` (repeatable)", Required: true}}
	return append(append(own, more...), cli.HeadFlags()...)
}

// load reads the properties and who the VM is.
func load(c *urfave.Context) (orca.Properties, orca.Unit, error) {
	if _, err := cli.Args(c); err != nil {
		return orca.Properties{}, orca.Unit{}, err
	}
	var list []orca.KeyValue
	for _, path := range c.StringSlice("properties") {
		p, err := orca.LoadProperties(path)
		if err != nil {
			return orca.Properties{}, orca.Unit{}, cli.Input(err)
		}
		for _, key := range p.Keys() {
			if value, ok := p.Get(key); ok {
				list = append(list, orca.KeyValue{Key: key, Value: scope.Secret(value), Line: p.Line(key)})
			}
		}
	}
	all := orca.NewProperties(list...)
	unit, err := orca.NewUnit(all)
	return all, unit, cli.Input(err)
}

func generateCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "generate",
		Usage:       "put down a VM's users, interfaces, storage, routes and scripts",
		Description: "Needs the VM's own tokens, as userdata saves them. Prints iface.list, the interfaces to attach.",
		Flags:       flags(),
		Action: func(c *urfave.Context) error {
			p, unit, err := load(c)
			if err != nil {
				return err
			}
			families, err := am.Generate(p)
			if err != nil {
				return cli.Input(err)
			}
			ctx, conn, err := cli.Connect(c)
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := am.Publish(ctx, conn.Client, unit, families); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.App.Writer, families.IfaceList())
			return err
		},
	}
}

func removeCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "remove",
		Usage:       "take away a VM's five families",
		Description: "What is gone already counts as removed.",
		Flags:       flags(),
		Action: func(c *urfave.Context) error {
			_, unit, err := load(c)
			if err != nil {
				return err
			}
			ctx, conn, err := cli.Connect(c)
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := am.Remove(ctx, conn.Client, unit); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.App.Writer, "OK")
			return err
		},
	}
}
