package main

import (
	"encoding/json"
	"fmt"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

func watchCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "watch",
		Usage:     "show entries as they change",
		ArgsUsage: "CONTEXT FAMILY",
		Description: "Shows what is there, and then each change, until it is interrupted or --timeout, if given, is over, which is how it\n" +
			"ends well: \"is\" for what is there to begin with, then \"changed\" for what is new or other, and \"gone\". With --output json\n" +
			"each change is one line. Heads that do not offer to wait for changes are asked every now and then.",
		Flags:  endless(cli.ReadTokenFlag(), cli.OutputFlag(), &urfave.DurationFlag{Name: "every", Usage: "`TIME` between two questions to heads that do not wait", Value: 10 * time.Second}),
		Action: watch,
	}
}

func watch(c *urfave.Context) error {
	if c.Duration("every") <= 0 {
		return cli.Usage("give a time such as 10s", "--every %s makes no sense", c.Duration("every"))
	}
	l, err := readListing(c, "FAMILY")
	if err != nil {
		return err
	}
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	if !c.IsSet("timeout") {
		ctx = c.Context
	}
	again := false
	err = conn.Watch(ctx, comet.Watch{
		Context:  l.id,
		Families: []scope.Family{l.family},
		Read:     []scope.Token{l.read},
		Every:    c.Duration("every"),
		Failed:   func(err error) { fmt.Fprintf(c.App.ErrWriter, "%s: %s; asking again\n", c.App.Name, cli.OneLine(err)) },
	}, func(change comet.Change) error {
		defer func() { again = true }()
		return showChange(c, change, again)
	})
	if c.Context.Err() != nil {
		return nil // interrupted
	}
	return err
}

// endless are flags of which --timeout has no default.
func endless(more ...urfave.Flag) []urfave.Flag {
	flags := withHeads(more...)
	for _, f := range flags {
		if d, ok := f.(*urfave.DurationFlag); ok && d.Name == "timeout" {
			d.DefaultText, d.Usage = "none", "`TIME` after which it ends"
		}
	}
	return flags
}

// shownChange is one line of --output json.
type shownChange struct {
	At      time.Time    `json:"at"`
	Whole   bool         `json:"whole,omitempty"`
	Entries []shownEntry `json:"entries"`
	Removed []string     `json:"removed,omitempty"`
}

// showChange shows one change. again says that there were others before: a whole state begins anew then.
func showChange(c *urfave.Context, change comet.Change, again bool) error {
	shown := shownChange{At: time.Now().UTC(), Whole: change.Whole, Entries: []shownEntry{}}
	for _, e := range change.Entries {
		shown.Entries = append(shown.Entries, show(e.Entry))
	}
	for _, e := range change.Removed {
		shown.Removed = append(shown.Removed, e.Name.Key.String())
	}
	if c.String("output") != "table" {
		return json.NewEncoder(c.App.Writer).Encode(shown)
	}
	return printChange(c, shown, again)
}

func printChange(c *urfave.Context, shown shownChange, again bool) error {
	var t cli.Table
	at := shown.At.Local().Format(time.TimeOnly)
	row := func(what, key, value string) { t.Rows = append(t.Rows, []string{at, what, key, value}) }
	what := "changed"
	if shown.Whole {
		what = "is"
		if again {
			fmt.Fprintln(c.App.ErrWriter, at+"  what was shown before does not count any more: this is all there is")
		}
	}
	for _, e := range shown.Entries {
		row(what, e.Key, oneLine(e))
	}
	for _, key := range shown.Removed {
		row("gone", key, "")
	}
	if len(t.Rows) == 0 {
		_, err := fmt.Fprintln(c.App.ErrWriter, at+"  nothing there, or the read token is wrong")
		return err
	}
	return t.Print(c)
}

// oneLine shows an entry's elements one behind the other.
func oneLine(e shownEntry) string {
	if e.Value != nil {
		return fmt.Sprint(e.table().Rows[0][0])
	}
	text := ""
	for i, row := range e.table().Rows {
		if i > 0 {
			text += "; "
		}
		for j, cell := range row {
			if j > 0 {
				text += " "
			}
			text += cell
		}
	}
	return text
}
