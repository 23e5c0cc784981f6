package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/scope"
)

// member is a flag that gives one member of an element.
type member struct {
	section, flag, usage string
}

// The flags of each section's elements. Those that name a file keep long or secret text out of the arguments.
var elementMembers = []member{
	{"users", "sudo", "`yes|no`: passwordless sudo; where it is not said, what the user has, and no for a new one"},
	{"users", "keys-file", "`FILE` with public keys, one a line, which are added to those that the user has; a new user needs one"},
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
		keys, err := publicKeys(c)
		return scope.User{Login: key, Sudo: text("sudo"), Keys: keys}, err
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

// publicKeys are those in the file that --keys-file names, which must have nothing else in it.
func publicKeys(c *urfave.Context) (keys []string, err error) {
	const flag = "keys-file"
	path := cli.Given(c, flag)
	text, err := content(c, flag)
	if err != nil || path == "" {
		return nil, err
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if err := scope.ValidPublicKey(line); err != nil {
			return nil, cli.Input(fmt.Errorf("--%s %s: line %d %w", flag, path, number, err))
		}
		keys = append(keys, line)
	}
	if len(keys) == 0 {
		return nil, cli.Input(fmt.Errorf("--%s %s: there is no key in it", flag, path))
	}
	return keys, nil
}
