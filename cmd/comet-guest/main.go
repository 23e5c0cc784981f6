// Command comet-guest runs on every VM of a slice: it publishes the VM's address and SSH key, learns those of the others, and configures
// the VM as its aggregate manager wants it. Called by the name of one of the older tools it does what that one did.
package main

import (
	"os"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
)

func main() {
	if name := filepath.Base(os.Args[0]); isOld(name) {
		os.Args = append([]string{"comet-guest"}, oldArgs(name, os.Args[1:])...)
	}
	os.Exit(cli.Main(app()))
}

func app() *urfave.App {
	return &urfave.App{
		Name:  "comet-guest",
		Usage: "make a VM what its slice wants it to be",
		Description: "Finds out from the cloud's metadata who the VM is, and keeps it in touch with its slice: /etc/hosts, root's authorized_keys, ssh's\n" +
			"known hosts; and as its aggregate manager wants it. Settings are read from " + settingsFile + ". With --root DIR, an existing\n" +
			"folder, files below DIR alone are changed.\n\n" +
			"   comet-guest plan\n" +
			"   comet-guest once --user-data user-data.ini --address 10.0.0.1 --root /tmp/vm",
		Commands: append([]*urfave.Command{
			runCommand(), onceCommand(), planCommand(), statusCommand(),
			getCommand(), showCommand(), userDataCommand(), publicIPCommand(), cleanCommand(), settingsCommand(), cli.VersionCommand(),
		}, oldCommands()...),
	}
}
