package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func userdataCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "userdata",
		Usage: "write the user data of a VM that is about to be made",
		Description: "Makes the VM's own two tokens where the properties have none, and saves them into --save before the user data is written;\n" +
			"hand that file to generate and remove, and keep it: whoever loses it can neither change nor remove what was put down. A repeat\n" +
			"uses the tokens that are in it. The CA of --cacert goes along, so that the VM knows which heads to trust.\n\n" +
			"--format ini is what the deployed guests read. metadata is the body of OpenStack's compute API that sets an instance's metadata;\n" +
			"it takes 255 characters in a value, so that no CA goes along: put that onto the image, as /etc/comet/ca.pem. cloud-init is user data\n" +
			"that puts both into place and starts the guest, after fetching it where --guest-url says.",
		Flags: flags(
			&urfave.StringFlag{Name: "out", Usage: "`FILE` for the user data, mode 0600 (required)"},
			&urfave.StringFlag{Name: "save", Usage: "`FILE` for the properties with the VM's tokens, mode 0600 (required)"},
			&urfave.StringFlag{Name: "format", Value: formatINI, Usage: "`FORM` of the user data: ini, metadata or cloud-init"},
			&urfave.StringFlag{Name: "guest-url", Usage: "with cloud-init: `URL` of comet-guest, a .deb, an .rpm or the program; without it the image has the guest"},
			&urfave.StringFlag{Name: "guest-sha256", Usage: "`SUM` of what is there, in hex"},
			&urfave.BoolFlag{Name: "force", Usage: "replace user data with the slice's tokens in it by such without"},
		),
		Action: logged(userdata),
	}
}

func userdata(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	if err := cli.Required(c, "out", "save"); err != nil {
		return err
	}
	_, unit, err := load(c)
	if err != nil {
		return err
	}
	if c.String("out") == c.String("save") {
		return cli.Usage("name two files", "--out and --save are the same")
	}
	if err := checkFormat(c); err != nil {
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
	if err := keepsSlice(c, unit); err != nil {
		return err
	}
	if _, err := formatted(c, am.UserData(unit, heads)); err != nil { // before any token is made
		return cli.Input(err)
	}
	if unit.Tokens, err = am.OpenTokens(c.Context, c.String("save"), unit); err != nil {
		return cli.Input(err)
	}
	text, err := formatted(c, am.UserData(unit, heads))
	if err == nil {
		err = orca.SavePrivate("user data", c.String("out"), text)
	}
	if err != nil {
		return cli.Input(err)
	}
	if unit.Slice.Tokens.Read.IsZero() {
		fmt.Fprintf(c.App.ErrWriter, "%s: warning: no slice.comet.readToken: the VM will have its own data, and take no part in its slice\n", c.App.Name)
	}
	_, err = fmt.Fprintf(c.App.Writer, "wrote %s and %s\n", c.String("out"), c.String("save"))
	return err
}

const (
	formatINI       = "ini"
	formatMetadata  = "metadata"
	formatCloudInit = "cloud-init"
)

// checkFormat refuses what cannot be written before any token is made.
func checkFormat(c *urfave.Context) error {
	form := c.String("format")
	switch form {
	case formatINI, formatMetadata, formatCloudInit:
	default:
		return cli.Usage("give ini, metadata or cloud-init", "--format %q is no form of user data", form)
	}
	for _, flag := range []string{"guest-url", "guest-sha256"} {
		if c.IsSet(flag) && form != formatCloudInit {
			return cli.Usage("it goes with --format cloud-init", "--%s has no place in --format %s", flag, form)
		}
	}
	return nil
}

// formatted is the user data in the form that is asked for.
func formatted(c *urfave.Context, u orca.UserData) ([]byte, error) {
	switch c.String("format") {
	case formatMetadata:
		list, err := u.Metadata()
		return orca.FormatMetadata(list...), err
	case formatCloudInit:
		return u.CloudInit(orca.Install{URL: c.String("guest-url"), SHA256: c.String("guest-sha256")})
	}
	return u.INI()
}

// keepsSlice refuses to take a VM out of its slice by leaving a file of properties away.
func keepsSlice(c *urfave.Context, unit orca.Unit) error {
	if c.Bool("force") || !unit.Slice.Tokens.Read.IsZero() {
		return nil
	}
	before, err := os.ReadFile(c.String("out"))
	if err != nil || !bytes.Contains(before, []byte("slicecometreadtoken")) { // in whichever form
		return nil // nothing there, or nothing to lose; whether it can be written shows later
	}
	return cli.Usage("give the file that the controller wrote for the VM with --properties too, or insist with --force",
		"%s has the slice's tokens, and the properties given have not: the VM would take no part in its slice any more", c.String("out"))
}

// headsOf is what the VM is told of the heads. A CA goes along as PEM, whatever form it has here.
func headsOf(spec cli.Spec) (am.Heads, error) {
	switch {
	case spec.Heads == "":
		return am.Heads{}, cli.Usage("give --comethost, COMETHOST or --config", "Comet is not configured: no heads are named")
	case spec.Files.CA == "":
		return am.Heads{}, cli.Usage("give --cacert, COMETCACERT or --config", "Comet is not configured: no CA is named")
	}
	if _, err := comet.ParseHeads(spec.Heads); err != nil {
		return am.Heads{}, cli.Input(err)
	}
	text, err := os.ReadFile(spec.Files.CA)
	if err != nil {
		return am.Heads{}, cli.Input(fmt.Errorf("CA: %w", err))
	}
	roots, err := tlsconfig.ParseCA(text, spec.Files.CAPassword)
	if err != nil {
		return am.Heads{}, cli.Input(fmt.Errorf("CA %s: %w", spec.Files.CA, err))
	}
	heads := am.Heads{List: spec.Heads}
	for _, root := range roots {
		heads.CACert = append(heads.CACert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})...)
	}
	heads.ServerName = spec.ServerNames()
	return heads, nil
}
