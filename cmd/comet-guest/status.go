package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
)

func statusCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "status",
		Usage: "say how things are, or wait until they are well",
		Description: "Shows what the running guest says of itself and of its modules. With --wait it waits until heads have answered and every module has\n" +
			"done all that there is to do, or, with --for, until as many hosts, pubkeys, users… are in place; it exits with 7 when --timeout is\n" +
			"over before. It exits with 1 when a module has failed, as by a script that ended with another status than 0, or does not believe\n" +
			"what it is told, or no guest runs, and with 5, 4 or 3 when no head is reached, or none is trusted, or what heads show is nothing of\n" +
			"this VM.\n\n" +
			"Hosts and pubkeys count the other VMs: for a slice of N give N-1. Users, interfaces, routes, storage and scripts count what is in\n" +
			"place, or has ended well, of what the VM is told; publish counts own entries, known-hosts keys.\n\n" +
			"   comet-guest status --wait --for hosts=2 --timeout 5m",
		Flags: append(append(machineFlags(),
			&urfave.BoolFlag{Name: "wait", Usage: "wait until things are well"},
			&urfave.StringSliceFlag{Name: "for", Usage: "with --wait, until `MODULE=N` of them are in place; repeatable"},
			&urfave.DurationFlag{Name: "timeout", Usage: "how long to wait, `TIME`; without end where it is not given"},
			cli.OutputFlag()), cli.LogFlags("warn")...),
		Action: status,
	}
}

func status(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	if err := folder(c.String("root")); err != nil {
		return err
	}
	if _, err := cli.Logger(c); err != nil {
		return err
	}
	set, err := loader(c)()
	if err != nil && c.IsSet("settings") {
		return cli.Input(err)
	}
	if err != nil {
		fmt.Fprintf(c.App.ErrWriter, "%v; the rest, and what is the default, counts\n", err)
	}
	goals, err := parseGoals(c)
	if err != nil {
		return err
	}
	st, err := service.ReadStatus(c.String("root"), set)
	if err == nil && c.Bool("wait") {
		st, err = waitFor(c, set, goals)
	}
	if err != nil && !errors.Is(err, cli.ErrWaitedInVain) {
		return err
	}
	if failed := cli.Print(c, st, func() cli.Table { return statusTable(st) }); failed != nil {
		return failed
	}
	if err != nil || len(goals) > 0 { // which are reached
		return err
	}
	return verdict(st)
}

// verdict is an error where things are not well.
func verdict(st service.Status) error {
	if st.State != service.StateRunning {
		return fmt.Errorf("%s: %s", st.State, st.Reason)
	}
	for _, c := range st.Contexts {
		if c.Error != "" {
			return errorOf(c)
		}
	}
	for _, m := range st.Modules {
		switch m.State {
		case guest.StateFailed:
			return fmt.Errorf("%s has failed: %s", m.Name, m.Because())
		case guest.StateDoubted:
			return fmt.Errorf("%s is in doubt: %s", m.Name, m.Because())
		}
	}
	return nil
}

// goal is how much of something has to be in place.
type goal struct {
	module string
	count  int
}

func parseGoals(c *urfave.Context) (goals []goal, err error) {
	if !c.Bool("wait") && (c.IsSet("for") || c.IsSet("timeout")) {
		return nil, cli.Usage("give --wait too", "--for and --timeout are for waiting")
	}
	known := map[string]bool{}
	for _, name := range guest.ModuleNames() {
		known[name] = true
	}
	for _, text := range c.StringSlice("for") {
		name, number, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || !known[name] {
			return nil, cli.Usage("give a module and a number, such as hosts=3; modules are "+strings.Join(guest.ModuleNames(), ", "), "--for %s makes no sense", text)
		}
		goals = append(goals, goal{name, n})
	}
	return goals, nil
}

// lookEvery is how often the status file is looked at while somebody waits.
const lookEvery = 200 * time.Millisecond

// waitFor waits until things are well, or as well as they get by themselves.
func waitFor(c *urfave.Context, set settings.Settings, goals []goal) (service.Status, error) {
	ctx := c.Context
	if limit := c.Duration("timeout"); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		st, err := service.ReadStatus(c.String("root"), set)
		if err != nil {
			return st, err
		}
		if err := possible(st, goals); err != nil {
			return st, err
		}
		missing := lacking(st, goals)
		if missing == "" {
			return st, nil
		}
		select {
		case <-ctx.Done():
			if c.Context.Err() != nil {
				return st, c.Context.Err()
			}
			return st, fmt.Errorf("%w: %s", cli.ErrWaitedInVain, missing)
		case <-ticks.C:
		}
	}
}

// possible is an error where a module that is to be waited for does not count any more than it does now.
func possible(st service.Status, goals []goal) error {
	for _, g := range goals {
		m := st.Module(g.module)
		why := ""
		switch {
		case st.State != service.StateRunning || m.Count >= g.count:
		case m.State == guest.StateOff:
			why = "off"
		case m.State == guest.StateNotHere:
			why = "not here"
		case m.Mode == guest.Observe:
			why = "only observed"
		}
		if why != "" {
			return cli.Usage("", "%s is %s: it will never be counted", g.module, why)
		}
	}
	return nil
}

// lacking says what is not well yet, empty where nothing is.
func lacking(st service.Status, goals []goal) string {
	if st.State != service.StateRunning || len(st.Modules) == 0 {
		return string(st.State) + ": " + st.Reason
	}
	for _, g := range goals {
		if n := st.Module(g.module).Count; n < g.count {
			return because(st) + fmt.Sprintf("%d of %d %s", n, g.count, g.module)
		}
	}
	if len(goals) > 0 {
		return ""
	}
	if why := because(st); why != "" {
		return strings.TrimSuffix(why, "; ")
	}
	for _, c := range st.Contexts {
		if c.Heard.IsZero() {
			return "no head of " + contextName(c) + " has answered yet"
		}
	}
	for _, m := range st.Modules {
		if !m.Settled() {
			return strings.TrimSuffix(m.Name+" is "+string(m.State)+": "+m.Because(), ": ")
		}
	}
	return ""
}

// because says, in front of what is missing, which heads are not heard.
func because(st service.Status) (text string) {
	for _, c := range st.Contexts {
		if c.Error != "" {
			text += contextName(c) + ": " + c.Error + "; "
		}
	}
	return text
}

func statusTable(st service.Status) cli.Table {
	t := cli.Table{Header: []string{"WHAT", "STATE", "COUNT", "SAYS"}}
	t.Rows = append(t.Rows, []string{"guest", string(st.State), "-", orDash(guestSays(st))})
	for _, c := range st.Contexts {
		heard := "not heard yet"
		if !c.Heard.IsZero() {
			heard = "a head answered " + ago(st.At, c.Heard)
		}
		if c.Error != "" {
			heard += "; " + c.Error
		}
		t.Rows = append(t.Rows, []string{contextName(c), map[bool]string{true: "ok", false: "failing"}[c.Error == ""], "-", heard})
	}
	for _, m := range st.Modules {
		t.Rows = append(t.Rows, []string{m.Name, stateText(m), strconv.Itoa(m.Count), orDash(moduleSays(m, st.At))})
		for _, n := range m.Notes {
			t.Rows = append(t.Rows, []string{"", string(n.Kind), "", n.About + ": " + n.Why})
		}
	}
	return t
}

func guestSays(st service.Status) string {
	if st.Reason != "" {
		return st.Reason
	}
	return fmt.Sprintf("told by %s; state of %s", st.Source, st.At.Local().Format(time.DateTime))
}

func stateText(m guest.ModuleStatus) string {
	switch {
	case m.Mode == guest.Observe:
		return string(m.State) + " (observed)"
	case m.State == guest.StateOK && len(m.Notes) > 0:
		return string(m.State) + ", with notes"
	}
	return string(m.State)
}

func moduleSays(m guest.ModuleStatus, at time.Time) string {
	var parts []string
	switch {
	case m.State == guest.StateNotHere && len(m.Told) > 0:
		parts = append(parts, m.Error+"; told of "+someOf(m.Told))
	case m.Error != "":
		parts = append(parts, m.Error)
	}
	if !m.Retry.IsZero() {
		parts = append(parts, "tried again in "+m.Retry.Sub(at).Round(time.Second).String())
	}
	doing := "to do: "
	if m.Mode == guest.Observe {
		doing = "not done: "
	}
	for _, p := range m.Plan {
		if !p.State {
			parts = append(parts, doing+p.Text)
		}
	}
	return strings.Join(parts, "; ")
}

func ago(now, then time.Time) string {
	return max(now.Sub(then), 0).Round(time.Second).String() + " before that"
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
