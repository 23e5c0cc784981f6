package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	guestunit "github.com/renci-nrig/comet-go/cmd/comet-guest/package"
	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
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
			"that puts both into place and starts the guest, after fetching it where --guest-url says. Of the machine the guest then keeps all\n" +
			"that its modules can: accounts, addresses, disks, scripts. /etc/comet/guest.conf can switch each off.",
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
	files, unit, err := load(c)
	if err != nil {
		return err
	}
	if err := checkFormat(c); err != nil {
		return err
	}
	spec, err := cli.ReadSpec(c)
	if err != nil {
		return err
	}
	if err := checkOut(c, files, spec); err != nil {
		return err
	}
	heads, err := headsOf(spec)
	if err != nil {
		return err
	}
	if err := keepsSlice(c, unit); err != nil {
		return err
	}
	if _, err := formatted(c, unit, heads); err != nil { // before any token is made
		return files.blame(files.incomplete(err))
	}
	limit, err := cli.Timeout(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, limit)
	defer cancel()
	if unit.Tokens, err = am.OpenTokens(ctx, c.String("save"), unit); err != nil {
		return tokenError(err)
	}
	text, err := formatted(c, unit, heads)
	if err != nil {
		return cli.Input(err)
	}
	if err := orca.SavePrivate("user data", c.String("out"), text); err != nil {
		return tokenError(err)
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

// checkOut refuses to put the user data in the place of something that is read here.
func checkOut(c *urfave.Context, files unitFiles, spec cli.Spec) error {
	out := c.String("out")
	if sameFile(out, c.String("save")) {
		return cli.Usage("name two files", "--out and --save are the same")
	}
	read := map[string]string{"config": c.String("config"), "cacert": spec.Files.CA, "keystore": spec.Files.KeyStore, "cert": spec.Files.Cert,
		"key": spec.Files.Key, "keystore-password-file": c.String("keystore-password-file"), "key-password-file": c.String("key-password-file")}
	for flag, path := range read {
		if path != "" && sameFile(out, path) {
			return cli.Usage("name another file", "--out %s is what is read as --%s", out, flag)
		}
	}
	for _, s := range files.sources {
		if sameFile(out, s.path) {
			return cli.Usage("name another file", "--out %s is what is read as --properties", out)
		}
	}
	return nil
}

// sameFile tells whether two paths are those of one file, which need not be there.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	absA, errA := filepath.Abs(a)
	absB, errB := filepath.Abs(b)
	return errA == nil && errB == nil && absA == absB
}

// formatted is the user data in the form that is asked for.
func formatted(c *urfave.Context, unit orca.Unit, heads am.Heads) ([]byte, error) {
	u, err := am.UserData(unit, heads)
	if err != nil {
		return nil, err
	}
	switch c.String("format") {
	case formatMetadata:
		list, err := u.Metadata()
		return orca.FormatMetadata(list...), err
	case formatCloudInit:
		return orca.Install{URL: c.String("guest-url"), SHA256: c.String("guest-sha256"), Unit: guestunit.Service}.CloudInit(u)
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

// headsOf is what the VM is told of the heads.
func headsOf(spec cli.Spec) (am.Heads, error) {
	told, err := spec.Told()
	if err != nil && (spec.Heads == "" || spec.Files.CA == "") {
		err = notConfigured(err)
	}
	return am.Heads{List: told.CometHost, CACert: told.CACert, ServerName: told.ServerName}, err
}
