package sliceverbs

import (
	"slices"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// Controller returns the commands of an ORCA controller.
func Controller() []*urfave.Command { return commands("", orca.Install{}, nil) }

// Owner returns the commands of a slice's owner: the same, and files that belong into the instances' metadata and user data, which
// install the guest as is said.
func Owner(install orca.Install) []*urfave.Command {
	return commands(aboutMetadata, install, []urfave.Flag{
		&urfave.StringFlag{Name: "metadata-dir", Category: categoryFiles, Usage: "write what each VM is to be told into `DIR`, mode 0600"},
		&urfave.StringFlag{Name: "guest-url", Category: categoryFiles,
			Usage: "let cloud-init fetch the guest from `URL`: a .deb, an .rpm, or the program; else the image must have it"},
		&urfave.StringFlag{Name: "guest-sha256", Category: categoryFiles, Usage: "`SUM` of what is at --guest-url, 64 hex digits"},
	})
}

const (
	categorySlice = "The slice"
	categoryFiles = "What VMs are told"
)

// commands returns the commands, those that create with further flags and more to say.
func commands(about string, install orca.Install, files []urfave.Flag) []*urfave.Command {
	create, extend := createCommand(install, files), extendCommand(install, files)
	create.Description += aboutSlice + about
	extend.Description += aboutSlice + about
	return []*urfave.Command{create, extend, withdrawCommand(), showCommand(), deleteCommand()}
}

const aboutSlice = "\n\nA slice file is JSON or YAML. groups (all), type, properties, userData and publicIp may be left out:\n\n" +
	"   sliceId: my-slice\n" +
	"   groups: [all]\n" +
	"   vms:\n" +
	"   - hostName: workers-0           # - for the / of node groups\n" +
	"     reservationId: vm-1\n" +
	"     type: site.vm                 # vm, baremetalce and lun at its end get place-holders, and no type\n" +
	"     properties: vm-1.properties   # the VM's unit properties, beside this file\n" +
	"     publicIp: 152.54.14.31\n\n" +
	"With --properties-dir there are HOSTNAME.properties and HOSTNAME.json for each VM, with what its slice gives it."

const aboutMetadata = "\n\nWith --metadata-dir there is, for each VM:\n\n" +
	"   HOSTNAME.metadata.json    a body for the OpenStack API that sets an instance's metadata\n" +
	"   HOSTNAME.heat.yaml        the block metadata of a server in a Heat template\n" +
	"   HOSTNAME.cloud-init.yaml  user data that brings the CA, tokens and settings, and starts the guest that the image has; --guest-url installs it\n" +
	"   HOSTNAME.user-data.ini    for comet-guest --user-data\n\n" +
	"cloud-init puts the CA into /etc/comet/ca.pem, what the guest is told into " + orca.GuestUserData + ", and settings\n" +
	"into " + orca.GuestSettings + ": where the guest is told who it is, the publicIp that a slice file has for its VM as\n" +
	"the address to publish, and that the guest keeps the slice's names and keys and nothing else of the machine. What\n" +
	"/etc/comet/guest.conf says counts before them. Without --guest-url the image has the package, or the program."

// namesSlice are the flags of a command that must know the VMs.
func namesSlice(more ...[]urfave.Flag) []urfave.Flag {
	flags := []urfave.Flag{
		&urfave.StringFlag{Name: "slice", Category: categorySlice, Usage: "slice `FILE`, JSON or YAML"},
		&urfave.StringSliceFlag{Name: "vm", Category: categorySlice, Usage: "a VM, `NAME=RESERVATION` (repeatable), in place of a slice file"},
		&urfave.StringFlag{Name: "slice-id", Category: categorySlice, Usage: "the slice's `ID`, in place of a slice file"},
		&urfave.StringSliceFlag{Name: "group", Category: categorySlice,
			Usage: "`NAME` of a group that the VMs are in (repeatable), in place of a slice file; where none is given all, or of a slice that stands its own"},
		tokensFlag(),
		&urfave.StringFlag{Name: "properties-dir", Category: categoryFiles,
			Usage: "write the properties that each VM gets into `DIR`/HOSTNAME.properties and .json, mode 0600"},
		&urfave.BoolFlag{Name: "print-tokens", Category: categoryFiles, Usage: "print each VM's properties, which have tokens in them"},
	}
	return withHeads(append(flags, slices.Concat(more...)...))
}

// mayNameSlice are the flags of a command to which the token file says enough.
func mayNameSlice() []urfave.Flag {
	return withHeads([]urfave.Flag{
		&urfave.StringFlag{Name: "slice", Category: categorySlice, Usage: "slice `FILE`, JSON or YAML; else what the token file knows"},
		tokensFlag(),
	})
}

func tokensFlag() urfave.Flag {
	return &urfave.StringFlag{Name: "tokens", Category: categorySlice, Usage: "`FILE` of mode 0600 that keeps the slice's tokens, and what it consists of (required)"}
}

func withHeads(flags []urfave.Flag) []urfave.Flag {
	return append(append(flags, cli.OutputFlag()), cli.HeadFlags()...)
}

// open returns the controller that the flags ask for. end takes the progress away.
func open(c *urfave.Context, conn *cli.Connection, doing string) (ctl *controller.Controller, end func()) {
	s := controller.Settings{Hosts: true, PubKeys: true}
	if cli.Given(c, "config") != "" {
		s = controller.FromConfig(conn.Spec.Config)
	}
	p, undo := cli.NewProgress(c, doing), cli.NewProgress(c, "withdrawing")
	s.Bulk.Progress, s.Withdrawing = p.Step, func(done, total int) { p.End(); undo.Step(done, total) }
	return controller.New(conn.Client, s), func() { p.End(); undo.End() }
}
