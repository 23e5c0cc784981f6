package main

import (
	"errors"
	"fmt"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
)

func rmCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "rm",
		Usage:       "remove an entry",
		ArgsUsage:   "CONTEXT FAMILY KEY",
		Description: "An entry that is not there counts as removed.",
		Flags:       withHeads(cli.ReadTokenFlag(), cli.WriteTokenFlag()),
		Action:      rm,
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
	done := "removed"
	switch err := conn.Delete(ctx, name, tokens); {
	case errors.Is(err, comet.ErrNotFound):
		done = "not there, or the read token is wrong:"
	case err != nil:
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, done, name)
	return err
}
