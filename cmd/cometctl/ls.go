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

func ls(c *urfave.Context) error {
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	args, err := cli.Args(c, "CONTEXT", "[FAMILY]")
	if err != nil {
		return err
	}
	id, err := scope.ParseContextID(args[0])
	if err != nil {
		return cli.Input(err)
	}
	var family scope.Family
	if args[1] != "" {
		if family, err = scope.ParseFamily(args[1]); err != nil {
			return cli.Input(err)
		}
	}
	token, err := cli.ReadToken(c)
	if err != nil {
		return err
	}
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	return listEntries(ctx, c, conn, id, family, token)
}

func listEntries(ctx context.Context, c *urfave.Context, conn *cli.Connection, id scope.ContextID, family scope.Family, token scope.Token) error {
	entries, err := conn.List(ctx, id, family, token)
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
