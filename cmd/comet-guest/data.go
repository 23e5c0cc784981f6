package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// oldFlag makes a command answer as the older tools did: what is not there is said on standard output, and no failure.
var oldFlag = &urfave.BoolFlag{Name: "as-older-tools", Hidden: true}

func getCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "get",
		Usage:       "print a field of the VM's user data",
		ArgsUsage:   "[SECTION] FIELD",
		Description: "The section is global where none is given. Tokens are printed: only root should be asked for them.\n\n   comet-guest get host_name",
		Flags:       askingNobody(flags(oldFlag)),
		Action:      get,
	}
}

func get(c *urfave.Context) error {
	args, err := cli.Args(c, "FIELD", "[FIELD]")
	if err != nil {
		return err
	}
	if args[1] == "" {
		args = []string{"global", args[0]}
	}
	if c.Bool(oldFlag.Name) && !strings.EqualFold(args[0], "global") {
		return getOld(c, args[0], args[1])
	}
	self, err := self(c)
	if err != nil {
		return err
	}
	for _, kv := range fieldsOf(self, args[0]) {
		if strings.EqualFold(kv.Key, args[1]) {
			fmt.Fprintln(c.App.Writer, kv.Value.Reveal())
			return nil
		}
	}
	return missing(c, "Not found", "%s in [%s]", args[1], args[0])
}

// fieldsOf returns a section of the user data; OpenStack's metadata has what is [global] in the other form.
func fieldsOf(self identity.Identity, section string) []orca.KeyValue {
	if !self.OpenStack {
		return self.UserData.Section(section)
	}
	text, err := self.UserData.INI()
	if err != nil {
		return nil
	}
	u, err := orca.ParseUserData(text)
	if err != nil {
		return nil
	}
	return u.Section(section)
}

// missing says that there is no such thing: as an error, or as the older tools do.
func missing(c *urfave.Context, old, format string, args ...any) error {
	if c.Bool(oldFlag.Name) {
		fmt.Fprintln(c.App.Writer, old)
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), cli.ErrNotFound)
}

// self finds out who the VM is.
func self(c *urfave.Context) (identity.Identity, error) {
	s, err := errand(c)
	if err != nil {
		return identity.Identity{}, err
	}
	self, err := s.Self(c.Context)
	return self, told(err)
}

func userDataCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "user-data",
		Usage:       "print what says who the VM is: its user data, or OpenStack's metadata",
		Description: "With the slice's tokens in it: only root should be asked for it.",
		Flags:       askingNobody(flags(oldFlag)),
		Action: func(c *urfave.Context) error {
			if _, err := cli.Args(c); err != nil {
				return err
			}
			self, err := self(c)
			if err != nil {
				return err
			}
			text := self.Text.Reveal()
			if !c.Bool(oldFlag.Name) {
				text = strings.TrimSuffix(text, "\n")
			}
			_, err = fmt.Fprintln(c.App.Writer, text)
			return err
		},
	}
}

func publicIPCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "public-ip",
		Usage:       "print the address that the VM publishes",
		Description: "As the setting address, or --address, chooses it.",
		Flags:       askingNobody(flags(oldFlag)),
		Action:      publicIP,
	}
}

func publicIP(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	set, err := loader(c)()
	if err != nil {
		return cli.Input(err)
	}
	if set.Address == "none" && !c.Bool(oldFlag.Name) {
		return fmt.Errorf("no address is published, as the setting address or --address says: %w", cli.ErrNotFound)
	}
	choice, err := identity.ParseAddress(cmp.Or(strings.TrimPrefix(set.Address, "none"), "auto"))
	if err != nil {
		return cli.Input(err)
	}
	self, err := self(c)
	if err != nil {
		return err
	}
	address, err := choice.Of(c.Context, self)
	if err != nil {
		return errors.Join(missing(c, "Not found", "address of this VM"), silent(c, err))
	}
	_, err = fmt.Fprintln(c.App.Writer, address)
	return err
}

// silent is nil where the older tools would not have failed.
func silent(c *urfave.Context, err error) error {
	if c.Bool(oldFlag.Name) {
		return nil
	}
	return err
}
