// Command cometd runs a COMET head, makes certificates to try one with, and looks after the head's store: backups, moving to another
// store, what is in it. What it does is in packages comet/server and tlsconfig; here are flags and printing.
package main

import (
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(app())) }

func app() *urfave.App {
	return &urfave.App{
		Name:     "cometd",
		Usage:    "a COMET head",
		Commands: []*urfave.Command{serveCommand(), configCommand(), certsCommand(), backupCommand(), restoreCommand(), exportCommand(), importCommand(), contextsCommand(), cli.VersionCommand()},
	}
}

func stringFlag(name, usage string) *urfave.StringFlag {
	return &urfave.StringFlag{Name: name, Usage: usage, EnvVars: cli.Env(name)}
}

func numberFlag(name string, value int, usage string) *urfave.IntFlag {
	return &urfave.IntFlag{Name: name, Usage: usage, EnvVars: cli.Env(name), Value: value}
}

func boolFlag(name, usage string) *urfave.BoolFlag {
	return &urfave.BoolFlag{Name: name, Usage: usage, EnvVars: cli.Env(name)}
}
