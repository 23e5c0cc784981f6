package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

const sections = "SECTION is users, interfaces, storage, routes or scripts; global is accepted, and nothing is done."

func settleFlag() urfave.Flag {
	return &urfave.DurationFlag{Name: "settle", Usage: "`TIME` after which a head without conditional changes is asked once more whether the change is still there"}
}

func addCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "add",
		Usage:     "put one user, interface, disk, route or script into what a VM has",
		ArgsUsage: "SECTION KEY [VALUE]",
		Description: "The element with that key is replaced, all others stay as they are. " + sections + "\n" +
			"VALUE has fields separated by colons; - is read from standard input:\n\n" +
			"   users LOGIN          SUDO:KEYS (KEYS joined by colons; they are added to those of a user that is there)\n" +
			"   interfaces MAC       STATE:IPVERSION[:CIDR]\n" +
			"   storage DEVICE       TYPE:IP:PORT:LUN:CHAPUSER:CHAPSECRET:ATTACH:FSTYPE:FSOPTIONS:FORMAT:MOUNTPOINT\n" +
			"   routes NETWORK       NEXTHOP\n" +
			"   scripts NAME         BODY\n\n" +
			"Without VALUE the fields are those of the section's flags, in which any character may stand.",
		Flags:  flags(append(elementFlags(), settleFlag())...),
		Action: logged(addElement),
	}
}

func deleteCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "delete",
		Usage:       "take one user, interface, disk, route or script out of what a VM has",
		ArgsUsage:   "SECTION KEY",
		Description: sections + " What is not there counts as deleted.",
		Flags:       flags(settleFlag()),
		Action:      logged(deleteElement),
	}
}

// member is a flag that gives one member of an element.
type member struct {
	section, flag, usage string
}

// The flags of each section's elements. Those that name a file keep long or secret text out of the arguments.
var elementMembers = []member{
	{"users", "sudo", "`yes|no`: passwordless sudo"},
	{"users", "keys-file", "`FILE` with the user's public keys, one a line"},
	{"interfaces", "state", "`up|down|user`"},
	{"interfaces", "ip-version", "`ipv4|ipv6`"},
	{"interfaces", "ip", "`CIDR`: address and prefix length"},
	{"interfaces", "hosteth", "`NAME` of the host's interface that it hangs on"},
	{"interfaces", "vlan", "`TAG`"},
	{"storage", "target-ip", "`ADDRESS`"},
	{"storage", "target-port", "`PORT`"},
	{"storage", "lun", "`NUMBER`"},
	{"storage", "chap-user", "`NAME`"},
	{"storage", "chap-secret-file", "`FILE` with the CHAP secret"},
	{"storage", "attach", "`yes|no`"},
	{"storage", "fs-type", "`TYPE` of the file system, such as ext4"},
	{"storage", "fs-options", "`OPTIONS` for making it"},
	{"storage", "format", "`yes|no`"},
	{"storage", "mount-point", "`PATH`"},
	{"routes", "next-hop", "`ADDRESS`, down or user"},
	{"routes", "device", "`NAME`"},
	{"routes", "gateway", "`ADDRESS`"},
	{"scripts", "body-file", "`FILE` with the script"},
}

func elementFlags() (flags []urfave.Flag) {
	for _, m := range elementMembers {
		flags = append(flags, &urfave.StringFlag{Name: m.flag, Category: "Elements of " + m.section, Usage: m.usage})
	}
	return flags
}

// element makes the element that flags or value describe.
func element(c *urfave.Context, family scope.Family, key, value string, hasValue bool) (scope.Element, error) {
	given, err := givenMembers(c, family.String())
	if err != nil {
		return nil, err
	}
	switch {
	case hasValue && len(given) > 0:
		return nil, cli.Usage("give the one or the other", "VALUE and --%s are both given", given[0])
	case !hasValue && len(given) == 0:
		return nil, cli.Usage("give it, or the flags of "+family.String(), "VALUE is missing")
	case hasValue:
		if value, err = argument(c, value); err != nil {
			return nil, err
		}
		e, err := am.ParseElement(family, key, value)
		return e, cli.Input(err)
	}
	return elementOf(c, family, key)
}

// givenMembers are the flags of the section that are given; one of another section is an error.
func givenMembers(c *urfave.Context, section string) (given []string, err error) {
	for _, m := range elementMembers {
		switch {
		case !c.IsSet(m.flag):
		case m.section != section:
			return nil, cli.Usage("see comet-am add --help", "--%s is for %s, not for %s", m.flag, m.section, section)
		default:
			given = append(given, m.flag)
		}
	}
	return given, nil
}

// argument is a value from the arguments, or from standard input where it is a dash.
func argument(c *urfave.Context, value string) (string, error) {
	if value != "-" {
		return value, nil
	}
	text, err := io.ReadAll(c.App.Reader)
	return string(text), err
}

// elementOf makes an element of the flags.
func elementOf(c *urfave.Context, family scope.Family, key string) (scope.Element, error) {
	text := func(flag string) string { return cli.Given(c, flag) }
	or := func(flag, otherwise string) string {
		if v := text(flag); v != "" {
			return v
		}
		return otherwise
	}
	switch family {
	case scope.FamilyUsers:
		keys, err := content(c, "keys-file")
		return scope.User{Login: key, Sudo: or("sudo", "no"), Keys: scope.KeyText{scope.JoinKeys(lines(keys))}}, err
	case scope.FamilyInterfaces:
		return scope.Interface{MAC: scope.CanonicalMAC(key), State: or("state", "up"), IPVersion: or("ip-version", versionOf(text("ip"))),
			IP: text("ip"), HostEth: text("hosteth"), VLANTag: text("vlan")}, nil
	case scope.FamilyStorage:
		secret, err := content(c, "chap-secret-file")
		return scope.Storage{Device: key, Type: "iscsi", TargetIP: text("target-ip"), TargetPort: text("target-port"), TargetLUN: or("lun", "0"),
			ChapUser: text("chap-user"), ChapSecret: scope.Hide(strings.TrimRight(secret, "\r\n")), ShouldAttach: or("attach", "no"),
			FSType: text("fs-type"), FSOptions: text("fs-options"), ShouldFormat: or("format", "no"), MountPoint: text("mount-point")}, err
	case scope.FamilyRoutes:
		return scope.Route{Network: key, NextHop: text("next-hop"), Device: text("device"), Gateway: text("gateway")}, nil
	default:
		body, err := content(c, "body-file")
		return scope.Script{Name: key, Body: scope.Hide(body)}, err
	}
}

func versionOf(cidr string) string {
	if strings.Contains(cidr, ":") {
		return "ipv6"
	}
	return "ipv4"
}

// content is what is in the file that a flag names; nothing where it is not given.
func content(c *urfave.Context, flag string) (string, error) {
	path := cli.Given(c, flag)
	if path == "" {
		return "", nil
	}
	if path == "-" {
		return argument(c, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", cli.Input(fmt.Errorf("--%s: %w", flag, err))
	}
	return string(text), nil
}

func lines(text string) []string {
	list := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return slices.DeleteFunc(list, func(l string) bool { return strings.TrimSpace(l) == "" || l[0] == '#' })
}

func addElement(c *urfave.Context) error {
	args, err := cli.Args(c, "SECTION", "KEY", "[VALUE]")
	if err != nil {
		return err
	}
	key := args[1]
	family, ok, err := section(c, args[0], key)
	if err != nil || !ok {
		return err
	}
	e, err := element(c, family, key, args[2], c.NArg() == 3)
	if err != nil {
		return err
	}
	return withUnit(c, func(ctx context.Context, client *comet.Client, unit orca.Unit) error {
		replaced, err := am.Add(ctx, client, unit, e, c.Duration("settle"))
		if err != nil {
			return addError(err)
		}
		did := "added"
		if replaced {
			did = "replaced"
		}
		_, err = fmt.Fprintf(c.App.Writer, "%s %s %s\n", did, family, key)
		return err
	})
}

// addError marks what is wrong with the element as bad input, and says what to do where there is nothing to add to.
func addError(err error) error {
	if _, ok := errors.AsType[*scope.FieldError](err); ok {
		return cli.Input(err)
	}
	if errors.Is(err, comet.ErrNotFound) {
		return fmt.Errorf("%w; generate puts the families down", err)
	}
	return err
}

func deleteElement(c *urfave.Context) error {
	args, err := cli.Args(c, "SECTION", "KEY")
	if err != nil {
		return err
	}
	family, ok, err := section(c, args[0], args[1])
	if err != nil || !ok {
		return err
	}
	return withUnit(c, func(ctx context.Context, client *comet.Client, unit orca.Unit) error {
		removed, err := am.Delete(ctx, client, unit, family, args[1], c.Duration("settle"))
		switch {
		case errors.Is(err, comet.ErrNotFound):
			fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", c.App.Name, cli.OneLine(err))
		case err != nil:
			return err
		}
		did := "deleted"
		if !removed {
			did = "not there:"
		}
		_, err = fmt.Fprintf(c.App.Writer, "%s %s %s\n", did, family, args[1])
		return err
	})
}

// section is the family that a section means; ok is false where there is nothing to do.
func section(c *urfave.Context, name, key string) (family scope.Family, ok bool, err error) {
	family, ok, err = am.Section(name)
	switch {
	case c.Duration("settle") < 0:
		return family, false, cli.Usage("give a time such as 2s", "--settle %s makes no sense", c.Duration("settle"))
	case err != nil:
		return family, false, cli.Input(err)
	case !ok:
		_, err = fmt.Fprintf(c.App.Writer, "section %s: nothing to do\n", name)
	case orca.Unset(key) || strings.TrimSpace(key) == "":
		return family, false, cli.Usage("give what the element is found by", "%s: KEY is not set", name)
	}
	return family, ok, err
}
