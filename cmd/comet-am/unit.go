package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func flags(more ...urfave.Flag) []urfave.Flag {
	own := []urfave.Flag{&urfave.StringSliceFlag{Name: "properties", Usage: "unit properties `FILE` (required, repeatable)"}}
	return append(append(own, more...), cli.HeadFlags()...)
}

// source is one file of properties.
type source struct {
	path string
	orca.Properties
}

// unitFiles are the properties of one VM and the files that they come from.
type unitFiles struct {
	orca.Properties
	sources []source
}

// load reads the properties and who the VM is.
func load(c *urfave.Context) (unitFiles, orca.Unit, error) {
	if _, err := cli.Args(c); err != nil {
		return unitFiles{}, orca.Unit{}, err
	}
	if err := cli.Required(c, "properties"); err != nil {
		return unitFiles{}, orca.Unit{}, err
	}
	var files unitFiles
	var list []orca.KeyValue
	for _, path := range c.StringSlice("properties") {
		p, err := orca.LoadProperties(path)
		if err != nil {
			return unitFiles{}, orca.Unit{}, cli.Input(err)
		}
		files.sources = append(files.sources, source{path, p})
		for _, key := range p.Keys() {
			if value, ok := p.Get(key); ok {
				list = append(list, orca.KeyValue{Key: key, Value: scope.Hide(value), Line: p.Line(key)})
			}
		}
	}
	files.Properties = orca.NewProperties(list...)
	unit, err := orca.NewUnit(files.Properties)
	return files, unit, files.blame(err)
}

// blame puts the name of the file in front of an error about a line of it: the last one that sets the property.
func (f unitFiles) blame(err error) error {
	line, ok := errors.AsType[*orca.LineError](err)
	if !ok {
		return cli.Input(err)
	}
	for _, s := range slices.Backward(f.sources) {
		if _, sets := s.Get(line.Field); sets {
			return cli.Input(fmt.Errorf("%s: %w", s.path, err))
		}
	}
	return cli.Input(err)
}

// incomplete names the files where it is they that lack something.
func (f unitFiles) incomplete(err error) error {
	if !errors.Is(err, am.ErrIncomplete) {
		return err
	}
	var paths []string
	for _, s := range f.sources {
		paths = append(paths, s.path)
	}
	return cli.Input(fmt.Errorf("%s: %w", strings.Join(paths, ", "), err))
}

func generateCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "generate",
		Usage:       "put down a VM's users, interfaces, storage, routes and scripts",
		Description: "Needs the VM's own tokens, as userdata saves them. Prints iface.list, the interfaces to attach.",
		Flags:       flags(),
		Action: func(c *urfave.Context) error {
			files, unit, err := load(c)
			if err != nil {
				return err
			}
			families, err := am.Generate(files.Properties)
			if err != nil {
				return files.blame(err)
			}
			ctx, conn, err := cli.Connect(c)
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := am.Publish(ctx, conn.Client, unit, families); err != nil {
				return files.incomplete(err)
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
			files, unit, err := load(c)
			if err != nil {
				return err
			}
			ctx, conn, err := cli.Connect(c)
			if err != nil {
				return err
			}
			defer conn.Close()
			removed, err := am.Remove(ctx, conn.Client, unit)
			if err != nil {
				return files.incomplete(err)
			}
			if absent := len(scope.InstanceFamilies()) - removed; absent > 0 {
				fmt.Fprintf(c.App.ErrWriter, "%s: %d entries removed; %d are not there, or the read token is wrong\n", c.App.Name, removed, absent)
			}
			_, err = fmt.Fprintln(c.App.Writer, "OK") // what handlers look for
			return err
		},
	}
}
