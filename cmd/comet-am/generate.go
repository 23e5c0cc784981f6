package main

import (
	"fmt"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/am"
)

func generateCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "generate",
		Usage: "put down a VM's users, interfaces, storage, routes and scripts",
		Description: "Needs the VM's own tokens: those of the properties, or those in --save, into which new ones go where there are none.\n" +
			"Prints iface.list, the interfaces to attach.",
		Flags: flags(
			&urfave.StringFlag{Name: "save", Usage: "`FILE` for the properties with the VM's tokens, mode 0600, as userdata saves them"},
		),
		Action: logged(generate),
	}
}

func generate(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
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
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	if path := cli.Given(c, "save"); path != "" {
		if unit.Tokens, err = am.OpenTokens(ctx, path, unit); err != nil {
			return cli.Input(err)
		}
	}
	if err := am.Publish(ctx, conn.Client, unit, families); err != nil {
		return files.incomplete(err)
	}
	_, err = fmt.Fprintln(c.App.Writer, families.IfaceList())
	return err
}
