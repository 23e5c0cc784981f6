package main

import (
	urfave "github.com/urfave/cli/v2"

	guestunit "github.com/renci-nrig/comet-go/cmd/comet-guest/package"
	"github.com/renci-nrig/comet-go/cmd/internal/sliceverbs"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/orca"
)

func sliceCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "slice",
		Usage: "what the owner of a slice does on a cloud without an ORCA controller",
		Description: "The slice file names the slice and its VMs; --vm says the same without one. The token file, made where it is not there, keeps\n" +
			"the slice's read token, a write token per VM, and what the slice consists of.\n\n" +
			"   cometctl slice create --slice-id my-slice --vm workers-0=vm-1 --tokens tokens.json --metadata-dir vms\n\n" +
			"vms then has, for each VM, a metadata body, a Heat block, and user data, for cloud-init and plain; see cometctl slice create --help.",
		Subcommands: append(sliceverbs.Owner(orca.Install{Unit: guestunit.Service, Off: guest.ORCAOnly()}), sliceCallCommand()),
	}
}
