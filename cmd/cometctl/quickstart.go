package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/cmd/internal/quickstart"
)

func quickstartCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "quickstart",
		Usage: "bring up a slice on this machine and show the whole exchange",
		Description: "Starts two heads on loopback ports, creates a slice of three VMs as a controller does, puts down what each VM needs as an\n" +
			"aggregate manager does, and runs a guest for each VM below a folder of its own, until all know each other; then stops one\n" +
			"head, adds a fourth VM, and withdraws everything. Nothing outside one folder is touched, which is removed at the end.",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "keep", Usage: "do it in `DIR`, which must be new or empty, and leave everything there"},
			cli.OutputFlag(),
		},
		Action: runQuickstart,
	}
}

func runQuickstart(c *urfave.Context) (err error) {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	dir, err := quickstartFolder(c.String("keep"))
	if err != nil {
		return cli.Input(err)
	}
	told := &telling{w: c.App.Writer}
	if c.String("output") != "table" {
		told.w = io.Discard
	}
	story := quickstart.Story{Dir: dir, Tell: told.event, Show: told.table}
	err = story.Run(c.Context)
	switch {
	case err != nil && c.Context.Err() == nil:
		return fmt.Errorf("quickstart: %w; what happened is in %s/quickstart.log", err, dir)
	case c.String("keep") == "":
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err = errors.Join(err, told.err); err != nil {
		return fmt.Errorf("quickstart: %w", err)
	}
	if c.String("output") != "table" {
		return cli.Print(c, told.events, nil)
	}
	if c.String("keep") != "" {
		fmt.Fprintf(told.w, "\nEverything is left in %s: certs, controller.properties, slice, tokens.json, comet.db, quickstart.log,\n"+
			"and for each VM vms/NAME with saved.properties, user-data and root, the guests' files as they were when the slice was withdrawn.\n", dir)
	}
	return nil
}

// quickstartFolder returns a new folder, or the one to keep.
func quickstartFolder(keep string) (string, error) {
	if keep == "" {
		return os.MkdirTemp("", "comet-quickstart-")
	}
	keep, err := filepath.Abs(keep)
	if err == nil {
		err = os.MkdirAll(keep, 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("--keep: %w", err)
	}
	files, err := os.ReadDir(keep)
	if err != nil {
		return "", fmt.Errorf("--keep: %w", err)
	}
	if len(files) > 0 {
		return "", fmt.Errorf("--keep: folder %s is not empty", keep)
	}
	return keep, nil
}

// telling prints the story as it happens and keeps its events.
type telling struct {
	w      io.Writer
	events []quickstart.Event
	err    error
}

func (t *telling) event(e quickstart.Event) {
	t.events = append(t.events, e)
	t.print(fmt.Sprintf("%7.3f s  %s\n", e.Seconds, e.What))
}

func (t *telling) table(table cli.Table) {
	var b strings.Builder
	table.Write(&b)
	t.print("\n")
	for line := range strings.Lines(b.String()) {
		t.print("           " + line)
	}
	t.print("\n")
}

// print keeps the first error: the story goes on to its end, so that nothing of it stays.
func (t *telling) print(text string) {
	if _, err := io.WriteString(t.w, text); t.err == nil {
		t.err = err
	}
}
