package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/comet/server/bolt"
)

// The exit codes of all COMET programs, as far as this one has them.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // or bad input
)

// failure is an error of a command that is neither usage nor input.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// input is an error in what the user gave.
type input struct{ error }

func (i input) Unwrap() error { return i.error }

func usagef(format string, args ...any) error { return input{fmt.Errorf(format, args...)} }

// exitCode is 2 for whatever the flag parser says and for bad input, 1 for all else.
func exitCode(err error) int {
	if _, failed := errors.AsType[failure](err); failed {
		return exitFailed
	}
	return exitUsage
}

// action makes a command's function one that tells failures from bad input.
func action(command func(*cli.Context) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.Args().Present() {
			return usagef("%s takes no arguments, only flags, but was given %q; see cometd %s --help", c.Command.Name, c.Args().First(), c.Command.Name)
		}
		err := command(c)
		if err == nil || isInput(err) {
			return err
		}
		return failure{err}
	}
}

func isInput(err error) bool {
	_, given := errors.AsType[input](err)
	_, address := errors.AsType[*net.AddrError](err)
	return given || address || errors.Is(err, bolt.ErrNotStore) || errors.Is(err, bolt.ErrFormat) || errors.Is(err, bolt.ErrDamaged)
}

// wrongUsage keeps the flag parser from printing the whole help before its error.
func wrongUsage(c *cli.Context, err error, _ bool) error {
	name := "cometd"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
		name += " " + c.Command.Name
	}
	return usagef("%w; see %s --help", err, name)
}
