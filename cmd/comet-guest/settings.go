package main

import (
	"cmp"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
)

func settingsCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "settings",
		Usage: "check the settings, and show what counts",
		Description: "Reads " + settings.File + ", and where it says nothing " + settings.CloudFile + " and, of the older tools, " + settings.OldFile + ",\n" +
			"as the other commands would, and prints each setting with the file that it comes from. What is wrong is named by file and line.",
		Flags:  append(machineFlags(), cli.OutputFlag()),
		Action: showSettings,
	}
}

func showSettings(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	if err := folder(c.String("root")); err != nil {
		return err
	}
	all, err := settings.List(c.String("root"), c.String("settings"))
	if err != nil {
		return cli.Input(err)
	}
	return cli.Print(c, all, func() cli.Table {
		t := cli.Table{Header: []string{"SETTING", "VALUE", "FROM"}}
		for _, s := range all {
			t.Rows = append(t.Rows, []string{"[" + s.Section + "] " + s.Name, orDash(s.Value), cmp.Or(s.From, "default")})
		}
		return t
	})
}
