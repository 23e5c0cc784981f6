package main

import (
	"context"
	"errors"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

func rmCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "rm",
		Usage:     "remove an entry",
		ArgsUsage: "CONTEXT FAMILY KEY",
		Description: "An entry that is not there counts as removed: the exit code is 0, so that it may be repeated, and what is printed tells the\n" +
			"two apart. Nothing is there for a wrong read token, either.",
		Flags:  withHeads(cli.ReadTokenFlag(), cli.WriteTokenFlag(), cli.OutputFlag()),
		Action: rm,
	}
}

func rm(c *urfave.Context) error {
	name, tokens, err := request(c, true)
	if err != nil {
		return err
	}
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	return removeEntry(ctx, c, conn, name, tokens)
}

func removeEntry(ctx context.Context, c *urfave.Context, conn *cli.Connection, name scope.Name, tokens scope.Tokens) error {
	shown, done := shownRemoval{shownName: nameOf(name), Removed: true}, "removed "
	switch err := conn.Delete(ctx, name, tokens); {
	case errors.Is(err, comet.ErrNotFound):
		shown.Removed, done = false, "not there, or the read token is wrong: "
	case err != nil:
		return err
	}
	return cli.Say(c, shown, done+told(name))
}

type shownRemoval struct {
	shownName
	Removed bool `json:"removed"` // false: it was not there, or the read token is wrong
}
