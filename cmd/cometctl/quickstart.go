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
			"head, adds a fourth VM, and withdraws everything. Nothing outside one folder is touched, which is removed at the end.\n\n" +
			"With --vms the three are real VMs: Debian under qemu, with comet-guest as a service, which log in to each other by name. That\n" +
			"takes some minutes, and the first time root, to build an image of Debian that is kept in the user's cache folder. What is\n" +
			"missing on this machine is said at once. The guest is --guest, else the comet-guest beside this program; in the repository\n" +
			"it is built; else it is the one in PATH.\n\n" +
			"   cometctl quickstart\n" +
			"   cometctl quickstart --vms",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "keep", Usage: "do it in `DIR`, which must be new or empty, and leave everything there"},
			&urfave.BoolFlag{Name: "vms", Usage: "have real VMs, which takes qemu"},
			&urfave.StringFlag{Name: "guest", Usage: "with --vms, the program comet-guest for Linux on amd64: `FILE`"},
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
	if c.IsSet("guest") && !c.Bool("vms") {
		return cli.Usage("give --vms too", "--guest is for real VMs")
	}
	dir, err := quickstartFolder(c.String("keep"))
	if err != nil {
		return cli.Input(err)
	}
	real, err := realVMs(c, dir)
	if err != nil {
		return errors.Join(err, leave(c, dir))
	}
	told := &telling{w: c.App.Writer}
	if c.String("output") != "table" {
		told.w = io.Discard
	}
	story := quickstart.Story{Dir: dir, Tell: told.event, Show: told.table, VMs: real}
	err = story.Run(c.Context)
	switch {
	case err != nil && c.Context.Err() == nil:
		return fmt.Errorf("quickstart: %w; what happened is in %s/quickstart.log", err, dir)
	default:
		err = errors.Join(err, leave(c, dir))
	}
	if err = errors.Join(err, told.err); err != nil {
		return fmt.Errorf("quickstart: %w", err)
	}
	if c.String("output") != "table" {
		return cli.Print(c, told.events, nil)
	}
	if c.String("keep") != "" {
		of := "root, the guests' files as they were when the slice was withdrawn"
		if real != nil {
			of = "vm: its disk, and what it said on its console"
		}
		fmt.Fprintf(told.w, "\nEverything is left in %s: certs, controller.properties, slice, tokens.json, comet.db, quickstart.log,\n"+
			"and for each VM vms/NAME with saved.properties, user-data and %s.\n", dir, of)
	}
	return nil
}

// leave removes the folder, unless it is to be kept.
func leave(c *urfave.Context, dir string) error {
	if c.String("keep") != "" {
		return nil
	}
	return os.RemoveAll(dir)
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
