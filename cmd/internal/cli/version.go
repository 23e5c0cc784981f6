package cli

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
)

// Version is the version of this project's programs.
const Version = "0.1.0"

// VersionCommand is the command that shows the version of its program.
func VersionCommand() *cli.Command {
	return &cli.Command{Name: "version", Usage: "show the version of this program", Flags: []cli.Flag{OutputFlag()}, Action: version}
}

func version(c *cli.Context) error {
	if _, err := Args(c); err != nil {
		return err
	}
	shown := map[string]string{"program": Version, "go": runtime.Version()}
	return Say(c, shown, fmt.Sprintf("%s %s (%s)", c.App.Name, Version, runtime.Version()))
}
