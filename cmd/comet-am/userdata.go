package main

import (
	"fmt"
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func userdataCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "userdata",
		Usage: "write the user data of a VM that is about to be made",
		Description: "Makes the VM's own two tokens where the properties have none, and saves them into --save before the user data is written;\n" +
			"hand that file to generate and remove. The CA of --cacert goes along, so that the VM knows which heads to trust.",
		Flags: flags(
			&urfave.StringFlag{Name: "out", Usage: "`FILE` for the user data, mode 0600 (required)"},
			&urfave.StringFlag{Name: "save", Usage: "`FILE` for the properties with the VM's tokens, mode 0600 (required)"},
		),
		Action: userdata,
	}
}

func userdata(c *urfave.Context) error {
	if err := cli.Required(c, "out", "save"); err != nil {
		return err
	}
	_, unit, err := load(c)
	if err != nil {
		return err
	}
	spec, err := cli.ReadSpec(c)
	if err != nil {
		return err
	}
	heads, err := headsOf(spec)
	if err != nil {
		return err
	}
	if unit.Tokens, err = savedTokens(c.String("save"), unit.Tokens); err != nil {
		return err
	}
	text, err := am.UserData(unit, heads).INI()
	if err != nil {
		return cli.Input(err)
	}
	if err := cli.WriteSecret(c.String("out"), text); err != nil {
		return cli.Input(fmt.Errorf("user data: %w", err))
	}
	if unit.Slice.Tokens.Read.IsZero() {
		fmt.Fprintf(c.App.ErrWriter, "%s: warning: no slice.comet.readToken: the VM will have its own data, and take no part in its slice\n", c.App.Name)
	}
	_, err = fmt.Fprintf(c.App.Writer, "wrote %s and %s\n", c.String("out"), c.String("save"))
	return err
}

// headsOf is what the VM is told of the heads.
func headsOf(spec cli.Spec) (am.Heads, error) {
	if spec.Heads == "" || spec.Files.CA == "" {
		return am.Heads{}, cli.Usage("give --comethost and --cacert, or --config", "Comet is not configured")
	}
	ca, err := os.ReadFile(spec.Files.CA)
	if err != nil {
		return am.Heads{}, cli.Input(fmt.Errorf("CA: %w", err))
	}
	heads := am.Heads{List: spec.Heads, CACert: ca}
	if names := spec.Names.Accept[""]; len(names) > 0 {
		heads.ServerName = names[0]
	}
	return heads, nil
}

// savedTokens returns the VM's tokens: those of the properties, else those saved before, else new ones, which are then saved.
func savedTokens(path string, have scope.Tokens) (scope.Tokens, error) {
	if have.Read.IsZero() || have.Write.IsZero() {
		if p, err := orca.LoadProperties(path); err == nil {
			unit, err := orca.NewUnit(p)
			if err != nil {
				return have, cli.Input(fmt.Errorf("%s: %w", path, err))
			}
			have = unit.Tokens
		}
	}
	if have.Read.IsZero() || have.Write.IsZero() {
		have = scope.NewTokens()
	}
	text := orca.FormatProperties(
		orca.KeyValue{Key: orca.PropertyReadToken, Value: scope.Hide(have.Read.Reveal())},
		orca.KeyValue{Key: orca.PropertyWriteToken, Value: scope.Hide(have.Write.Reveal())},
	)
	if err := cli.WriteSecret(path, text); err != nil {
		return have, cli.Input(fmt.Errorf("save the tokens: %w", err))
	}
	return have, nil
}
