// Command comet-guest runs on every VM of a slice: it publishes the VM's address and SSH key and learns those of the others.
package main

import (
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(app())) }

func app() *urfave.App {
	return &urfave.App{
		Name:  "comet-guest",
		Usage: "keep a VM in touch with the other VMs of its slice",
		Description: "Keeps the machine's /etc/hosts and root's authorized_keys. With --root DIR, an existing folder, everything happens below\n" +
			"DIR, and the machine itself stays untouched.\n\n" +
			"   comet-guest once --user-data user-data.ini --address 10.0.0.1 --root /tmp/vm",
		Commands: []*urfave.Command{onceCommand(), runCommand()},
	}
}
