package main

import (
	"context"
	"fmt"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/scope"
)

func lsCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "ls",
		Usage:       "list the entries that a read token shows",
		ArgsUsage:   "CONTEXT [FAMILY]",
		Description: "Nothing at all is what a wrong read token shows as well.",
		Flags:       withHeads(cli.ReadTokenFlag(), cli.OutputFlag()),
		Action:      ls,
	}
}

// listing is what a command that shows several entries is asked for.
type listing struct {
	id     scope.ContextID
	family scope.Family // zero where it may be left out, and is
	read   scope.Token
}

// readListing takes the arguments, the second of which is called family, and the read token.
func readListing(c *urfave.Context, family string) (l listing, err error) {
	if err := cli.CheckOutput(c); err != nil {
		return l, err
	}
	args, err := cli.Args(c, "CONTEXT", family)
	if err != nil {
		return l, err
	}
	if l.id, err = scope.ParseContextID(args[0]); err != nil {
		return l, cli.Input(err)
	}
	if args[1] != "" {
		if l.family, err = scope.ParseFamily(args[1]); err != nil {
			return l, cli.Input(err)
		}
	}
	l.read, err = cli.ReadToken(c)
	return l, err
}

func ls(c *urfave.Context) error {
	l, err := readListing(c, "[FAMILY]")
	if err != nil {
		return err
	}
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	return listEntries(ctx, c, conn, l)
}

func listEntries(ctx context.Context, c *urfave.Context, conn *cli.Connection, l listing) error {
	entries, err := conn.List(ctx, l.id, l.family, l.read)
	if err != nil {
		return err
	}
	shown := make([]shownEntry, len(entries))
	t := cli.Table{Header: []string{"FAMILY", "KEY", "ELEMENTS", "BYTES"}, Empty: "nothing there, or the read token is wrong"}
	for i, e := range entries {
		shown[i] = show(e)
		elements := "-"
		if shown[i].Value == nil {
			elements = fmt.Sprint(len(shown[i].Elements))
		}
		t.Rows = append(t.Rows, []string{e.Name.Family.String(), e.Name.Key.String(), elements, fmt.Sprint(len(e.Value))})
	}
	return cli.Print(c, shown, func() cli.Table { return t })
}
