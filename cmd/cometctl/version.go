package main

import (
	"errors"
	"runtime"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
)

func versionCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "version",
		Usage:       "show the version of this program, and of the heads",
		Description: "Heads are asked where --comethost, COMETHOST or --config names some; every one of them. A head's version is that of the COMET as which\nit answers, not of cometd.",
		Flags:       withHeads(cli.OutputFlag()),
		Action:      version,
	}
}

type shownVersion struct {
	Program string      `json:"program"`
	Go      string      `json:"go"`
	Heads   []shownHead `json:"heads,omitempty"`
}

type shownHead struct {
	Head string `json:"head"`
	comet.Version
	Error string `json:"error,omitempty"`
}

func version(c *urfave.Context) error {
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	if _, err := cli.Args(c); err != nil {
		return err
	}
	shown := shownVersion{Program: cli.Version, Go: runtime.Version()}
	t := cli.Table{
		Header: []string{"WHO", "VERSION", "API", "STORE", "EXTENSIONS"},
		Rows:   [][]string{{"cometctl", cli.Version + " (" + runtime.Version() + ")"}},
	}
	spec, err := cli.ReadSpec(c)
	if err != nil {
		return err
	}
	if spec.Heads == "" {
		return cli.Print(c, shown, func() cli.Table { return t })
	}
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	var failed []error
	for _, v := range conn.Versions(ctx) {
		head := shownHead{Head: v.Head, Version: v.Version}
		row := []string{v.Head, v.Version.Version, v.Version.API, v.Version.Store, strings.Join(v.Version.Extensions, " ")}
		if v.Err != nil {
			failed = append(failed, v.Err)
			head.Error = cli.OneLine(v.Err)
			row = []string{v.Head, "no answer"}
		}
		shown.Heads = append(shown.Heads, head)
		t.Rows = append(t.Rows, row)
	}
	if err := cli.Print(c, shown, func() cli.Table { return t }); err != nil {
		return err
	}
	if len(failed) > 0 && len(failed) < len(shown.Heads) {
		return errors.New(cli.OneLine(errors.Join(failed...))) // some answered: no code of its own
	}
	return errors.Join(failed...)
}
