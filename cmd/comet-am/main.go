// Command comet-am puts down what each VM of a slice needs, and tells the VM where to find it: an aggregate manager's part.
package main

import (
	"os"
	"path/filepath"
	"slices"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
)

// theScript is the command of ORCA's handlers whose place remove takes; a link of that name to this program is enough.
const theScript = "comet-remove-vm-scope"

func main() {
	if filepath.Base(os.Args[0]) == theScript {
		os.Args = slices.Insert(os.Args, 1, "remove")
	}
	os.Exit(cli.Main(app()))
}

func app() *urfave.App {
	return &urfave.App{
		Name:  "comet-am",
		Usage: "put down what a VM needs, and the user data by which it finds it",
		Description: "A VM's unit properties say what it needs. --properties may be given several times, later files win: the handler's own\n" +
			"properties, those that the controller wrote, and those that userdata saved.\n\n" + handlersLog,
		Commands: []*urfave.Command{userdataCommand(), generateCommand(), addCommand(), deleteCommand(), removeCommand(), cli.VersionCommand()},
	}
}
