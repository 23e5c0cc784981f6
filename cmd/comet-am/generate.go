package main

import (
	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/am"
)

func generateCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "generate",
		Usage: "put down a VM's users, interfaces, storage, routes and scripts",
		Description: "Needs the VM's own tokens: those of the properties, or those in --save, into which new ones go where there are none.\n" +
			"Prints iface.list, the interfaces to attach.\n\n" +
			"With --slice, all VMs of a slice file that names their properties, with tokens in --save-dir/HOSTNAME.saved. What is there is kept, so\n" +
			"that a repeat goes on where the last one stopped and takes nothing away that add has put there. Prints what came of each VM: what\n" +
			"was missing is written; what is there and is not as the properties say differs, and is replaced with --replace alone.",
		Flags: flags(
			&urfave.StringFlag{Name: "save", Usage: "`FILE` for the properties with the VM's tokens, mode 0600, as userdata saves them"},
			&urfave.StringFlag{Name: "slice", Usage: "slice `FILE`, JSON or YAML: all of its VMs"},
			&urfave.StringFlag{Name: "save-dir", Usage: "with --slice: `DIR` for the files with the VMs' tokens"},
			&urfave.BoolFlag{Name: "replace", Usage: "with --slice: put down again what differs from the properties, elements that were added since included"},
			cli.OutputFlag(),
		),
		Action: logged(generate),
	}
}

func generate(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	if cli.Given(c, "slice") != "" {
		return generateSlice(c)
	}
	for _, flag := range []string{"save-dir", "replace"} {
		if c.IsSet(flag) {
			return cli.Usage("give a slice file, or leave it away", "--%s goes with --slice", flag)
		}
	}
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	files, unit, err := load(c)
	if err != nil {
		return err
	}
	families, err := am.Generate(files.Properties)
	if err != nil {
		return files.blame(err)
	}
	ctx, conn, err := connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	if path := cli.Given(c, "save"); path != "" {
		if unit.Tokens, err = am.OpenTokens(ctx, path, unit); err != nil {
			return tokenError(err)
		}
	}
	if err := am.Publish(ctx, conn.Client, unit, families); err != nil {
		return files.incomplete(err)
	}
	shown := shownVM{HostName: unit.HostName, ReservationID: unit.ReservationID, Outcome: am.Written, IfaceList: families.IfaceList()}
	return cli.Say(c, shown, shown.IfaceList)
}
