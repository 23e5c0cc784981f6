package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
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
		Flags:  flags(&urfave.DurationFlag{Name: "every", Usage: "`TIME` between two looks at the machine", DefaultText: "that of the settings, else 10s"}),
		Action: run,
	}
}

func run(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	if err := asRoot(c); err != nil {
		return err
	}
	s, err := newService(c, "")
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(sparing)
	}
	s.Notify = service.Systemd()
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
		Description: "Prints what it changed, and how many hosts and keys of other VMs are in place. Where no head answers, what was known last is\n" +
			"applied. Waits until scripts and whatever else it has started have ended.",
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
	s, err := asRootErrand(c)
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
	for _, m := range st.Modules {
		for _, done := range m.Done {
			fmt.Fprintf(c.App.Writer, "%s: %s\n", m.Name, done.Text)
		}
	}
	printNotHere(c, st)
	printNotes(c, st)
	if in := inPlace(st); in != "" {
		fmt.Fprintln(c.App.Writer, in)
	}
	return summed(c, st, err)
}

// inPlace counts what other VMs have brought, as far as it was looked at.
func inPlace(st guest.Status) string {
	var parts []string
	for _, count := range []struct{ module, one, many string }{{"hosts", "host", "hosts"}, {"pubkeys", "key", "keys"}} {
		switch m := st.Module(count.module); {
		case m.Name == "" || m.State == guest.StateOff:
		case m.Count == 1:
			parts = append(parts, "1 "+count.one)
		default:
			parts = append(parts, fmt.Sprint(m.Count)+" "+count.many)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, " and ") + " of other VMs in place"
}

func planCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "plan",
		Usage: "say what a pass would change, and write nothing",
		Description: "Prints a unified diff of each file, and each command. Exits with 6 when something would change. Steps that are only known when\n" +
			"those before them are made, such as the making of a file system after a login, are not among them. What is only\n" +
			"observed is marked, and is no reason for a 6.",
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
	s, err := asRootErrand(c)
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
		printPlan(c, st, err)
	}
	switch err := errors.Join(err, st.Err()); {
	case err != nil:
		return summed(c, st, err)
	case st.Changes():
		return summary{"something would change; nothing was changed", cli.ErrWouldChange}
	}
	return nil
}

func printPlan(c *urfave.Context, st guest.Status, err error) {
	for _, m := range st.Modules {
		name := m.Name
		if m.Mode == guest.Observe {
			name += " (observed, not done)"
		}
		for _, change := range m.Plan {
			if !change.State {
				fmt.Fprintf(c.App.Writer, "%s: %s\n%s", name, change.Text, change.Diff)
			}
		}
	}
	printNotHere(c, st)
	printNotes(c, st)
	notHere := func(m guest.ModuleStatus) bool { return m.State == guest.StateNotHere }
	switch {
	case err != nil || st.Err() != nil || st.Changes():
	case slices.ContainsFunc(st.Modules, notHere):
		fmt.Fprintln(c.App.Writer, "nothing else would change")
	default:
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
	if err := asRoot(c); err != nil {
		return err
	}
	log, err := cli.Logger(c)
	if err != nil {
		return err
	}
	s := &service.Service{Root: c.String("root"), Settings: loader(c), Log: log}
	done, err := s.Clean(c.Context)
	for _, text := range texts(done) {
		fmt.Fprintln(c.App.Writer, text)
	}
	switch {
	case !errors.Is(err, service.ErrRunning):
	case below(c):
		return fmt.Errorf("%w; stop it first", err)
	default:
		return fmt.Errorf("%w; stop it first: systemctl stop comet-guest", err)
	}
	if err != nil {
		return told(err)
	}
	if len(done) == 0 {
		fmt.Fprintln(c.App.Writer, "nothing to clean")
	}
	left, err := s.Left()
	for _, line := range left {
		fmt.Fprintln(c.App.Writer, "left: "+line)
	}
	return told(err)
}

// texts are what changes say, each once: two blocks may stand in one file.
func texts(changes []guest.Change) (all []string) {
	for _, change := range changes {
		all = with(all, change.Text)
	}
	return all
}
