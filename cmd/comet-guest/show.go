package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
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
	{"users", func(t guest.Told) any { return all(t.Users) }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"USER", "SUDO", "KEYS"}, t.Users, func(u scope.User) []string {
			return []string{u.Login, u.Sudo, fmt.Sprint(len(u.PublicKeys()))}
		})
	}},
	{"interfaces", func(t guest.Told) any { return all(t.Interfaces) }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"MAC", "STATE", "VERSION", "ADDRESS", "VLAN"}, t.Interfaces, func(i scope.Interface) []string {
			return []string{colons(i.MAC), i.State, i.IPVersion, i.IP, i.VLANTag}
		})
	}},
	{"storage", func(t guest.Told) any { return all(t.Storage) }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"DEVICE", "TARGET", "LUN", "ATTACH", "FILE SYSTEM", "FORMAT", "MOUNTED AT"}, t.Storage, func(s scope.Storage) []string {
			return []string{s.Device, s.TargetIP + ":" + s.TargetPort, s.TargetLUN, s.ShouldAttach, s.FSType, s.ShouldFormat, s.MountPoint}
		})
	}},
	{"routes", func(t guest.Told) any { return all(t.Routes) }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"NETWORK", "NEXT HOP"}, t.Routes, func(r scope.Route) []string { return []string{r.Network, r.NextHop} })
	}},
	{"scripts", func(t guest.Told) any { return names(t.Scripts) }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"SCRIPT", "BYTES"}, t.Scripts, func(s scope.Script) []string {
			return []string{s.Name, fmt.Sprint(len(s.Body.Reveal()))}
		})
	}},
	{"hosts", func(t guest.Told) any { return all(t.Hosts) }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"HOST", "ADDRESS"}, t.Hosts, func(h scope.Host) []string { return []string{h.HostName, h.IP} })
	}},
	{"pubkeys", func(t guest.Told) any { return all(t.PubKeys) }, func(t guest.Told) cli.Table {
		return rowsOf([]string{"PUBLIC KEY"}, t.PubKeys, func(k string) []string { return []string{k} })
	}},
}

func showNames() (list []string) {
	for _, s := range shows {
		list = append(list, s.name)
	}
	return list
}

func showCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "show",
		Usage:     "show what the VM is told: " + strings.Join(showNames(), ", "),
		ArgsUsage: strings.Join(showNames(), "|"),
		Description: "What a head says now, or, where none answers, what was known last. What makes no sense is left out, which is said. CHAP secrets\n" +
			"and the text of scripts are not shown; --script NAME prints one. It ends with another code than 0 where no head says so now.",
		Flags: flags(cli.OutputFlag(), oldFlag,
			&urfave.StringFlag{Name: "script", Usage: "print the text of the script `NAME`"},
			&urfave.BoolFlag{Name: "all-scripts", Hidden: true}),
		Action: show,
	}
}

func show(c *urfave.Context) error {
	if !c.Args().Present() {
		return cli.Usage("", "say what to show: %s", strings.Join(showNames(), ", "))
	}
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
	if err := asRoot(c); err != nil && !c.Bool(oldFlag.Name) {
		return err
	}
	s, err := errand(c)
	if err != nil {
		return err
	}
	t, self, err := s.Told(c.Context)
	table := shows[i].rows(t)
	if err = cmp.Or(told(err), unshown(c, args[0], t)); err != nil && (t.Before.IsZero() || len(table.Rows) == 0) && !c.Bool(oldFlag.Name) {
		return err // nothing was known either
	}
	if err != nil {
		says := "no head is heard now"
		if errors.Is(err, comet.ErrNotFound) {
			says = "the head shows nothing of this VM"
		}
		if !t.Before.IsZero() {
			says += "; this is what was known at " + t.Before.Local().Format(time.DateTime)
		}
		fmt.Fprintln(c.App.ErrWriter, says)
	}
	for _, n := range t.Notes {
		if strings.HasPrefix(n.About, shows[i].name) {
			fmt.Fprintf(c.App.ErrWriter, "%s: %s (%s)\n", n.About, n.Why, n.Kind)
		}
	}
	switch {
	case c.Bool(oldFlag.Name):
		return cmp.Or(showOld(c, args[0], t, self), err)
	case c.IsSet("script"):
		return cmp.Or(printScript(c, t.Scripts), err)
	}
	if failed := cli.Print(c, shows[i].data(t), func() cli.Table { return table }); failed != nil {
		return failed
	}
	return err
}

// unshown is why nobody knows now what is in a list. The older tools never said so.
func unshown(c *urfave.Context, list string, t guest.Told) error {
	why := t.Unshown[list]
	switch {
	case why == nil || c.Bool(oldFlag.Name):
		return nil
	case errors.Is(why, guest.ErrHeadless):
		return cli.Input(why)
	}
	look := placesOf(c, c.IsSet("slice"))
	at := look.unitRead
	if list == "hosts" || list == "pubkeys" {
		at = look.sliceRead
	}
	return summary{fmt.Sprintf("%s: %v: look at %s", list, why, at), why}
}

func printScript(c *urfave.Context, scripts []scope.Script) error {
	i := slices.IndexFunc(scripts, func(s scope.Script) bool { return s.Name == c.String("script") })
	if i < 0 {
		return fmt.Errorf("script %s: %w", c.String("script"), cli.ErrNotFound)
	}
	_, err := fmt.Fprintln(c.App.Writer, strings.TrimSuffix(scripts[i].Body.Reveal(), "\n"))
	return err
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

// all is a list that is there even where nothing is in it: whoever reads JSON goes through it.
func all[E any](elements []E) []E { return append([]E{}, elements...) }

// colons is a hardware address as people read it.
func colons(mac string) string {
	var pairs []string
	for pair := range slices.Chunk([]byte(scope.CanonicalMAC(mac)), 2) {
		pairs = append(pairs, string(pair))
	}
	return strings.Join(pairs, ":")
}

func names(scripts []scope.Script) []string {
	list := []string{}
	for _, s := range scripts {
		list = append(list, s.Name)
	}
	return list
}
