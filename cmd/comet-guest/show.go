package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/scope"
)

// shown is something that show can show.
type shown struct {
	name string
	data func(guest.Told) any
	rows func(guest.Told) cli.Table
}

var shows = []shown{
	{"users", func(t guest.Told) any { return t.Users }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"USER", "SUDO", "KEYS"}, t.Users, func(u scope.User) []string {
			return []string{u.Login, u.Sudo, fmt.Sprint(len(u.PublicKeys()))}
		})
	}},
	{"interfaces", func(t guest.Told) any { return t.Interfaces }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"MAC", "STATE", "VERSION", "ADDRESS", "VLAN"}, t.Interfaces, func(i scope.Interface) []string {
			return []string{scope.CanonicalMAC(i.MAC), i.State, i.IPVersion, i.IP, i.VLANTag}
		})
	}},
	{"storage", func(t guest.Told) any { return hideSecrets(t.Storage) }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"DEVICE", "TARGET", "LUN", "ATTACH", "FILE SYSTEM", "FORMAT", "MOUNTED AT"}, t.Storage, func(s scope.Storage) []string {
			return []string{s.Device, s.TargetIP + ":" + s.TargetPort, s.TargetLUN, s.ShouldAttach, s.FSType, s.ShouldFormat, s.MountPoint}
		})
	}},
	{"routes", func(t guest.Told) any { return t.Routes }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"NETWORK", "NEXT HOP"}, t.Routes, func(r scope.Route) []string { return []string{r.Network, r.NextHop} })
	}},
	{"scripts", func(t guest.Told) any { return names(t.Scripts) }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"SCRIPT", "BYTES"}, t.Scripts, func(s scope.Script) []string {
			return []string{s.Name, fmt.Sprint(len(s.Body.Reveal()))}
		})
	}},
	{"hosts", func(t guest.Told) any { return t.Hosts }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"HOST", "ADDRESS"}, t.Hosts, func(h scope.Host) []string { return []string{h.HostName, h.IP} })
	}},
	{"pubkeys", func(t guest.Told) any { return t.PubKeys }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"PUBLIC KEY"}, t.PubKeys, func(k string) []string { return []string{k} })
	}},
}

func showNames() (all []string) {
	for _, s := range shows {
		all = append(all, s.name)
	}
	return all
}

func showCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "show",
		Usage:     "show what the VM is told: " + strings.Join(showNames(), ", "),
		ArgsUsage: strings.Join(showNames(), "|"),
		Description: "What a head says now, or, where none answers, what was known last. What makes no sense is left out, which is said. CHAP secrets\n" +
			"and the text of scripts are not shown; --script NAME prints one.",
		Flags: flags(cli.OutputFlag(), oldFlag,
			&urfave.StringFlag{Name: "script", Usage: "print the text of the script `NAME`"},
			&urfave.BoolFlag{Name: "all-scripts", Hidden: true}),
		Action: show,
	}
}

func show(c *urfave.Context) error {
	args, err := cli.Args(c, "WHAT")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(shows, func(s shown) bool { return s.name == args[0] })
	if i < 0 {
		return cli.Usage("give one of "+strings.Join(showNames(), ", "), "%q is nothing that can be shown", args[0])
	}
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	s, err := newService(c)
	if err != nil {
		return err
	}
	t, err := s.Told(c.Context)
	for _, n := range t.Notes {
		if strings.HasPrefix(n.About, shows[i].name) {
			fmt.Fprintf(c.App.ErrWriter, "%s: %s (%s)\n", n.About, n.Why, n.Kind)
		}
	}
	switch {
	case c.Bool("all-scripts"):
		return cmp.Or(printScripts(c, t.Scripts), told(err))
	case c.IsSet("script"):
		return cmp.Or(printScripts(c, only(t.Scripts, c.String("script"))), told(err))
	case c.Bool(oldFlag.Name) && len(shows[i].rows(t).Rows) == 0:
		return missing(c, "Not found", "%s", args[0])
	}
	if failed := cli.Print(c, shows[i].data(t), func() cli.Table { return shows[i].rows(t) }); failed != nil {
		return failed
	}
	return told(err)
}

func printScripts(c *urfave.Context, scripts []scope.Script) error {
	for _, s := range scripts {
		fmt.Fprintln(c.App.Writer, strings.TrimSuffix(s.Body.Reveal(), "\n"))
	}
	if len(scripts) == 0 {
		return missing(c, "No user script found.", "script %s", c.String("script"))
	}
	return nil
}

func only(scripts []scope.Script, name string) []scope.Script {
	return slices.DeleteFunc(slices.Clone(scripts), func(s scope.Script) bool { return s.Name != name })
}

// rowsOf makes a table of what there is.
func rowsOf[E any](header []string, elements []E, row func(E) []string) cli.Table {
	t := cli.Table{Header: header, Empty: "there are none"}
	for _, e := range elements {
		cells := row(e)
		for i := range cells {
			cells[i] = orDash(cells[i])
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

func hideSecrets(all []scope.Storage) []scope.Storage {
	all = slices.Clone(all)
	for i := range all {
		all[i].ChapSecret = scope.Hidden{}
	}
	return all
}

func names(scripts []scope.Script) []string {
	list := []string{}
	for _, s := range scripts {
		list = append(list, s.Name)
	}
	return list
}
