package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func flags(more ...urfave.Flag) []urfave.Flag {
	own := []urfave.Flag{&urfave.StringSliceFlag{Name: "properties", Usage: "unit properties `FILE`, - for standard input (repeatable)"}}
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
	if err := cli.Required(c, "properties"); err != nil {
		return unitFiles{}, orca.Unit{}, err
	}
	files, err := readFiles(c, c.StringSlice("properties")...)
	if err != nil {
		return unitFiles{}, orca.Unit{}, err
	}
	unit, err := orca.NewUnit(files.Properties)
	return files, unit, files.blame(err)
}

// readFiles reads properties from files, later ones win.
func readFiles(c *urfave.Context, paths ...string) (files unitFiles, err error) {
	var list []orca.KeyValue
	for i, path := range paths {
		if path == "-" && slices.Contains(paths[:i], path) {
			return unitFiles{}, cli.Usage("name it once", "standard input is --properties twice")
		}
		s, err := readSource(c, path)
		if err != nil {
			return unitFiles{}, cli.Input(err)
		}
		files.sources = append(files.sources, s)
		for _, key := range s.Keys() {
			if value, ok := s.Get(key); ok {
				list = append(list, orca.KeyValue{Key: key, Value: scope.Hide(value), Line: s.Line(key)})
			}
		}
	}
	files.Properties = orca.NewProperties(list...)
	return files, nil
}

func readSource(c *urfave.Context, path string) (source, error) {
	if path != "-" {
		p, err := orca.LoadProperties(path)
		return source{path, p}, err
	}
	const name = "standard input"
	text, err := io.ReadAll(c.App.Reader)
	if err != nil {
		return source{}, fmt.Errorf("%s: %w", name, err)
	}
	p, err := orca.ParseProperties(text)
	if err != nil {
		return source{}, fmt.Errorf("%s: %w", name, err)
	}
	return source{name, p}, nil
}

// connect is cli.Connect, once it is clear that COMET is configured.
func connect(c *urfave.Context) (context.Context, *cli.Connection, error) {
	spec, err := cli.ReadSpec(c)
	if err != nil {
		return nil, nil, err
	}
	if missing := missing(spec); missing != "" {
		return nil, nil, notConfigured(errors.New(missing))
	}
	return cli.Connect(c)
}

// missing says which setting is not there without which an aggregate manager has no COMET.
func missing(spec cli.Spec) string {
	f := spec.Files
	switch plain := !strings.Contains(spec.Heads, "https://"); {
	case spec.Heads == "":
		return "no heads are named; give --comethost, COMETHOST or --config"
	case plain:
	case f.CA == "" && !spec.Names.Insecure:
		return "no CA is named; give --cacert, COMETCACERT or --config"
	case f.KeyStore == "" && f.Cert == "" && f.Key == "":
		return "no key store and no certificate are named; give --keystore, --cert or --config"
	case f.KeyStore != "" && f.KeyStorePassword.IsZero() && (f.Cert == "" || f.Key == ""):
		return "the key store's password is not set; give --keystore-password-file, or comet.clientkeystorepwd in --config"
	}
	return ""
}

// unconfigured is what ORCA's own programs say.
const unconfigured = "Comet is not configured"

func notConfigured(err error) error { return cli.Input(fmt.Errorf("%s: %w", unconfigured, err)) }

// tokenError marks what is wrong with a file of tokens, or with the properties, as bad input. That it cannot be locked or written is none.
func tokenError(err error) error {
	for _, input := range []error{am.ErrSaved, am.ErrIncomplete, fs.ErrNotExist} {
		if errors.Is(err, input) {
			return cli.Input(err)
		}
	}
	return err
}

// withUnit reads the properties, connects, and does something with the VM's entries.
func withUnit(c *urfave.Context, do func(context.Context, *comet.Client, orca.Unit) error) error {
	files, unit, err := load(c)
	if err != nil {
		return err
	}
	ctx, conn, err := connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	return files.incomplete(do(ctx, conn.Client, unit))
}

// blame puts the name of the file in front of an error about a line of it: the last one that sets the property.
func (f unitFiles) blame(err error) error {
	line, ok := errors.AsType[*orca.LineError](err)
	if !ok {
		return cli.Input(err)
	}
	for _, s := range slices.Backward(f.sources) {
		if _, sets := s.Get(line.Field); sets {
			return cli.Input(fmt.Errorf("%s: %w", s.path, s.Errorf(line.Field, "%s", line.Reason)))
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
