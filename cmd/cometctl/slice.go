package main

import (
	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/sliceverbs"
)

func sliceCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "slice",
		Usage: "what the owner of a slice does on a cloud without an ORCA controller",
		Description: "The slice file names the slice and its VMs; --vm says the same without one. The token file, made where it is not there, keeps\n" +
			"the slice's read token, a write token per VM, and what the slice consists of.\n\n" +
			"   cometctl slice create --slice-id my-slice --vm workers-0=vm-1 --tokens tokens.json --metadata-dir vms\n\n" +
			"vms then has, for each VM, a metadata body, a Heat block, and cloud-init user data; see cometctl slice create --help.",
		Subcommands: append(sliceverbs.Owner(), sliceCallCommand()),
	}
}
