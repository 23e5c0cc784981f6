package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/scope"
)

func tokenCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "token",
		Usage: "make tokens",
		Subcommands: []*urfave.Command{{
			Name:        "new",
			Usage:       "make a token",
			Description: "Prints 32 random letters and digits, or puts them into a new file of mode 0600. Every head takes them.",
			Flags:       []urfave.Flag{&urfave.StringFlag{Name: "out", Usage: "put it into `FILE`, which must not exist, and print nothing"}},
			Action:      newToken,
		}},
	}
}

func newToken(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	text := scope.NewToken().Reveal() + "\n"
	path := c.String("out")
	if path == "" {
		_, err := fmt.Fprint(c.App.Writer, text)
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return cli.Input(fmt.Errorf("token file: %w; take another name, or remove it if nobody needs that token", err))
	case err != nil:
		return cli.Input(fmt.Errorf("token file: %w", err))
	}
	_, err = f.WriteString(text)
	for _, step := range []func() error{f.Sync, f.Close} {
		if e := step(); err == nil {
			err = e
		}
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("token file: %w", err)
	}
	return nil
}
