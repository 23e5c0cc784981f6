// Command cometctl is for the people around COMET: operators and slice owners. It reads and writes entries, makes tokens, looks after
// slices, and shows the whole exchange of a slice with quickstart.
package main

import (
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(app())) }

func app() *urfave.App {
	return &urfave.App{
		Name:  "cometctl",
		Usage: "read and write what COMET keeps for the VMs of a slice",
		Description: "An entry is named by CONTEXT (the slice), FAMILY (users, interfaces, storage, routes, scripts, hostsall, pubkeysall, …)\n" +
			"and KEY (the VM's reservation ID). A read token makes it visible, a write token allows change.\n\n" +
			"Try it without any head of your own:  cometctl quickstart",
		Commands: []*urfave.Command{
			quickstartCommand(), versionCommand(), readCommand(), writeCommand(), lsCommand(), rmCommand(), watchCommand(), tokenCommand(), sliceCommand(), doctorCommand(),
		},
	}
}

// withHeads are the flags of a command that asks heads, with further ones.
func withHeads(more ...urfave.Flag) []urfave.Flag { return append(more, cli.HeadFlags()...) }
