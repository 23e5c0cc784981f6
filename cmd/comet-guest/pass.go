package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/comet/orca"
)

func runCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "run",
		Usage: "keep the VM as its slice wants it, until it is ended",
		Description: "Stays in the foreground and logs to standard error. Systemd starts it, and is told when it is ready and how things are; others\n" +
			"see that with comet-guest status. A hang-up signal (systemctl reload comet-guest) makes it read its settings and who the VM\n" +
			"is again. Where nobody says yet who the VM is, it goes by what was found last time, and goes on asking.",
		Flags:  flags(&urfave.DurationFlag{Name: "every", Usage: "`TIME` between two looks at the machine"}),
		Action: run,
	}
}

func run(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	s, err := newService(c)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(sparing)
	}
	s.Notify = service.Systemd()
	s.Log.Info("started", "version", cli.Version, "root", s.Root)
	return told(s.Run(c.Context, reloads()))
}

// sparing lets the garbage collector run when the memory in use has grown by so many percent: a guest allocates little, and is on small
// machines for years.
const sparing = 10

// reloads holds a value after each hang-up, which otherwise ends our programs.
func reloads() <-chan struct{} {
	hangups, reload := make(chan os.Signal, 1), make(chan struct{}, 1)
	signal.Reset(syscall.SIGHUP)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			select {
			case reload <- struct{}{}:
			default: // one is waiting already
			}
		}
	}()
	return reload
}

func onceCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "once",
		Usage: "make one pass: publish, learn, and change what differs",
		Description: "Prints what it knows of the other VMs, and what it changed. Where no head answers, what was known last is applied. Waits until\n" +
			"scripts and whatever else it has started have ended.",
		Flags:  flags(cli.OutputFlag(), onlyFlag),
		Action: once,
	}
}

var onlyFlag = &urfave.StringSliceFlag{Name: "only", Usage: "this `MODULE` alone; repeatable. Modules are " + strings.Join(guest.ModuleNames(), ", ")}

func once(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	s, err := newService(c)
	if err != nil {
		return err
	}
	st, err := s.Once(c.Context)
	if c.String("output") != "table" {
		if failed := cli.Print(c, st, nil); failed != nil {
			return failed
		}
		return told(err)
	}
	for _, done := range st.Done() {
		fmt.Fprintln(c.App.Writer, done.Text)
	}
	printNotes(c, st)
	if len(st.Modules) > 0 {
		fmt.Fprintf(c.App.Writer, "knows %d hosts and %d keys of other VMs\n", st.Module("hosts").Count, st.Module("pubkeys").Count)
	}
	return told(err)
}

// printNotes prints what people should know: it is neither changed nor an error.
func printNotes(c *urfave.Context, st guest.Status) {
	for _, m := range st.Modules {
		for _, n := range m.Notes {
			fmt.Fprintf(c.App.ErrWriter, "%s: %s: %s (%s)\n", m.Name, n.About, n.Why, n.Kind)
		}
	}
}

func planCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "plan",
		Usage: "say what a pass would change, and write nothing",
		Description: "Prints a unified diff of each file, and each command. Exits with 6 when something would change. Steps that are only known when\n" +
			"those before them are made, such as the making of a file system after a login, are not among them.",
		Flags:  flags(cli.OutputFlag(), onlyFlag),
		Action: plan,
	}
}

func plan(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	s, err := newService(c)
	if err != nil {
		return err
	}
	st, err := s.Plan(c.Context)
	if err != nil && len(st.Modules) == 0 {
		return told(err)
	}
	if c.String("output") != "table" {
		if failed := cli.Print(c, st, nil); failed != nil {
			return failed
		}
	} else {
		printPlan(c, st)
	}
	switch {
	case err != nil:
		return told(err)
	case st.Err() != nil:
		return st.Err()
	case st.Changes():
		return cli.ErrWouldChange
	}
	return nil
}

func printPlan(c *urfave.Context, st guest.Status) {
	for _, m := range st.Modules {
		for _, change := range m.Plan {
			fmt.Fprintf(c.App.Writer, "%s: %s\n%s", m.Name, change.Text, change.Diff)
		}
	}
	printNotes(c, st)
	if !st.Changes() {
		fmt.Fprintln(c.App.Writer, "nothing would change")
	}
}

func cleanCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "clean",
		Usage: "take away what makes the machine this VM, before an image is made of it",
		Description: "Removes the guest's blocks in files, its state and what cloud-init has brought for it (" + orca.GuestUserData + ",\n" +
			orca.GuestSettings + "), both with the slice's tokens, the SSH keys of root that it has made, and what attaches disks at\n" +
			"boot. Stop the guest first (systemctl stop comet-guest): while one runs it refuses. It may stay enabled: on a VM of the image it\n" +
			"asks anew who that is, and so it does on this one.\n\n" +
			"What stays is for you to judge, and where it is there it is said last: cloud-init's copy of the user data, host keys, accounts\n" +
			"with their homes, keys and sudo, /etc/hostname, what older tools have done, and a file that settings name as source. Settings\n" +
			"(" + settings.File + "), /etc/comet/ca.pem, file systems and what scripts have done stay too.\n\n" +
			"   systemctl stop comet-guest && comet-guest clean && cloud-init clean --logs --machine-id && poweroff",
		Flags:  append(machineFlags(), cli.LogFlags("warn")...),
		Action: clean,
	}
}

func clean(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	if err := folder(c.String("root")); err != nil {
		return err
	}
	log, err := cli.Logger(c)
	if err != nil {
		return err
	}
	s := &service.Service{Root: c.String("root"), Settings: loader(c), Log: log}
	done, err := s.Clean(c.Context)
	for _, change := range done {
		fmt.Fprintln(c.App.Writer, change.Text)
	}
	if errors.Is(err, service.ErrRunning) {
		return fmt.Errorf("%w; stop it first: systemctl stop comet-guest", err)
	}
	if err != nil {
		return told(err)
	}
	left, err := s.Left()
	for _, line := range left {
		fmt.Fprintln(c.App.Writer, "left: "+line)
	}
	return told(err)
}
