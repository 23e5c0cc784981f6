// Command cometd runs a COMET head and makes certificates to try one with. What it does is in packages comet/server and tlsconfig;
// here are flags and printing.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := newApp(stdin, stdout, stderr).RunContext(ctx, args)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(stderr, "cometd: %v\n", err)
	return exitCode(err)
}

const epilogue = `Exit codes: 0 done; 1 failed; 2 wrong usage or bad input.

Every flag is also an environment variable: COMET_ and its name in capitals, with _ for -. Flags win.`

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	return &cli.App{
		Name:            "cometd",
		Usage:           "a COMET head",
		Description:     epilogue,
		Version:         version(),
		HideHelpCommand: true,
		Commands:        []*cli.Command{serveCommand(), certsCommand()},
		Action:          noCommand,
		OnUsageError:    wrongUsage,
		ExitErrHandler:  func(*cli.Context, error) {}, // run prints the error and picks the code
		Reader:          stdin,
		Writer:          stdout,
		ErrWriter:       stderr,
	}
}

// noCommand is run where the first argument is none of the commands.
func noCommand(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("unknown command %q; see cometd --help", c.Args().First())
	}
	return usagef("no command; see cometd --help")
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
