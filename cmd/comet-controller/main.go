// Command comet-controller puts down, shows and takes away the place-holders that the VMs of a slice fill in: an ORCA controller's part.
package main

import (
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/cmd/internal/sliceverbs"
)

func main() { os.Exit(cli.Main(app())) }

func app() *urfave.App {
	return &urfave.App{
		Name:  "comet-controller",
		Usage: "create, extend, show and remove the place-holders of a slice, or of single VMs",
		Description: "The slice file names the slice and its VMs. The token file, made where it is not there, keeps the slice's read token, a write\n" +
			"token per VM, and what the slice consists of; it is on disk before anything is created, so that whatever was begun can be\n" +
			"finished. A slice file:\n\n" +
			"   {\"sliceId\":\"my-slice\",\"vms\":[{\"hostName\":\"workers-0\",\"reservationId\":\"vm-1\"}]}\n\n" +
			"The same without one:  --slice-id my-slice --vm workers-0=vm-1",
		Commands: append(sliceverbs.Controller(), cli.VersionCommand()),
	}
}
