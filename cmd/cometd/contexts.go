package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/scope"
)

func contextsCommand() *urfave.Command {
	older := stringFlag("older", "only contexts in which nothing has changed for `TIME`, such as 90d or 36h")
	flags := func(more ...urfave.Flag) []urfave.Flag {
		data := stringFlag("data", "the `DIR` of the head, whether it runs or not; or give --store")
		return slices.Concat([]urfave.Flag{data, older}, more, []urfave.Flag{cli.OutputFlag()}, storeFlags(), cli.LogFlags("warn"))
	}
	return &urfave.Command{
		Name:  "contexts",
		Usage: "look at what is in a store, and remove what nobody owns any more",
		Subcommands: []*urfave.Command{
			{
				Name:   "list",
				Usage:  "list the contexts: how many read tokens they have, entries, size of the values, and when they last changed",
				Action: listContexts,
				Flags:  flags(),
			},
			{
				Name:  "age",
				Usage: "list what each read token shows, what has not changed for longest first",
				Description: "Read tokens are not kept; the first digits of their digests tell them apart. What one of them shows in a context ages\n" +
					"together.",
				Action: ageContexts,
				Flags:  flags(),
			},
			{
				Name:      "purge",
				Usage:     "remove contexts with all their entries",
				ArgsUsage: "[CONTEXT...]",
				Description: "Removes the contexts that are named, or with --older all that have not changed for so long, or those that are both. That\n" +
					"a context does not change need not mean that nobody reads it. Without --yes it tells what it would remove, and the exit code\n" +
					"is 6. A context that changes meanwhile stays. Clients see the entries go, as if their owners had removed them.",
				Action: purgeContexts,
				Flags:  flags(&urfave.BoolFlag{Name: "yes", Usage: "remove them"}),
			},
		},
	}
}

// contextLine is a context as it is printed.
type contextLine struct {
	Context    scope.ContextID `json:"context"`
	ReadTokens int             `json:"readTokens"`
	Entries    int             `json:"entries"`
	Bytes      int64           `json:"bytes"`
	Changed    time.Time       `json:"changed"`
	AgeSeconds int64           `json:"ageSeconds"`
}

// looked is what a command found in a store.
type looked struct {
	store  contents.Store
	end    func() error
	now    time.Time
	before time.Time // the newest change that the contexts may have had
	groups []contents.Group
}

// lookAtContexts opens the store and finds what --older leaves of it.
func lookAtContexts(c *urfave.Context) (looked, error) {
	if err := cli.CheckOutput(c); err != nil {
		return looked{}, err
	}
	f := looked{now: time.Now()}
	f.before = f.now
	if text := cli.Given(c, "older"); text != "" {
		older, err := parseAge(text)
		if err != nil {
			return looked{}, err
		}
		f.before = f.now.Add(-older)
	}
	var err error
	if f.store, f.end, err = openContents(c); err != nil {
		return looked{}, err
	}
	groups, err := f.store.Groups(c.Context)
	if err != nil {
		return looked{}, errors.Join(err, f.end())
	}
	newest := map[scope.ContextID]time.Time{}
	for _, g := range groups {
		if g.Newest.After(newest[g.Context]) {
			newest[g.Context] = g.Newest
		}
	}
	f.groups = slices.DeleteFunc(groups, func(g contents.Group) bool {
		return cli.Given(c, "older") != "" && newest[g.Context].After(f.before)
	})
	return f, nil
}

// parseAge takes what Go takes as a duration, and days.
func parseAge(text string) (time.Duration, error) {
	var age time.Duration
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		age = time.Duration(n) * 24 * time.Hour
	} else {
		age, err = time.ParseDuration(text)
	}
	if err != nil || age < 0 {
		return 0, cli.Usage("give a time such as 90d or 36h", "--older %q makes no sense", text)
	}
	return age, nil
}

// contexts adds up groups.
func (f looked) contexts() []contextLine {
	lines := []contextLine{}
	for _, g := range f.groups {
		if len(lines) == 0 || lines[len(lines)-1].Context != g.Context {
			lines = append(lines, contextLine{Context: g.Context})
		}
		l := &lines[len(lines)-1]
		l.ReadTokens++
		l.Entries += g.Entries
		l.Bytes += g.Bytes
		if g.Newest.After(l.Changed) {
			l.Changed = g.Newest
		}
		l.AgeSeconds = int64(f.now.Sub(l.Changed) / time.Second)
	}
	return lines
}

func listContexts(c *urfave.Context) (err error) {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	f, err := lookAtContexts(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.end()) }()
	lines := f.contexts()
	return cli.Print(c, lines, func() cli.Table { return contextTable(lines) })
}

func contextTable(lines []contextLine) cli.Table {
	t := cli.Table{Header: []string{"CONTEXT", "READ TOKENS", "ENTRIES", "SIZE", "CHANGED", "AGE"}, Empty: "no contexts"}
	for _, l := range lines {
		t.Rows = append(t.Rows, []string{l.Context.String(), strconv.Itoa(l.ReadTokens), strconv.Itoa(l.Entries), size(l.Bytes), stamp(l.Changed), age(l.AgeSeconds)})
	}
	return t
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// age is a time for people, in its largest unit.
func age(seconds int64) string {
	switch {
	case seconds >= 2*86400:
		return fmt.Sprintf("%dd", seconds/86400)
	case seconds >= 2*3600:
		return fmt.Sprintf("%dh", seconds/3600)
	case seconds >= 2*60:
		return fmt.Sprintf("%dm", seconds/60)
	}
	return fmt.Sprintf("%ds", max(seconds, 0))
}

func ageContexts(c *urfave.Context) (err error) {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	f, err := lookAtContexts(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.end()) }()
	slices.SortStableFunc(f.groups, func(a, b contents.Group) int { return a.Newest.Compare(b.Newest) })
	return cli.Print(c, f.groups, func() cli.Table {
		t := cli.Table{Header: []string{"AGE", "CHANGED", "CONTEXT", "READ TOKEN", "ENTRIES", "SIZE"}, Empty: "no contexts"}
		for _, g := range f.groups {
			t.Rows = append(t.Rows, []string{age(int64(f.now.Sub(g.Newest) / time.Second)), stamp(g.Newest), g.Context.String(), g.Read, strconv.Itoa(g.Entries), size(g.Bytes)})
		}
		return t
	})
}

func purgeContexts(c *urfave.Context) (err error) {
	named, err := namedContexts(c)
	if err != nil {
		return err
	}
	f, err := lookAtContexts(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.end()) }()
	if len(named) > 0 {
		f.groups = slices.DeleteFunc(f.groups, func(g contents.Group) bool { return !slices.Contains(named, g.Context) })
	}
	lines := f.contexts()
	if !c.Bool("yes") {
		return wouldPurge(c, lines)
	}
	purged, err := f.purge(c, lines)
	if err != nil && len(purged) == 0 {
		return err
	}
	if printed := cli.Print(c, purged, func() cli.Table { return purgedTable(purged) }); err == nil {
		err = printed
	}
	return err
}

// namedContexts are the arguments; without any there has to be --older.
func namedContexts(c *urfave.Context) (named []scope.ContextID, err error) {
	for _, a := range c.Args().Slice() {
		if strings.HasPrefix(a, "-") {
			return nil, cli.Usage("flags come first, arguments last", "%q stands behind an argument", a)
		}
		id, err := scope.ParseContextID(a)
		if err != nil {
			return nil, cli.Input(err)
		}
		named = append(named, id)
	}
	if len(named) == 0 && cli.Given(c, "older") == "" {
		return nil, cli.Usage("see cometd contexts purge --help", "purge needs contexts, or --older TIME")
	}
	return named, nil
}

func wouldPurge(c *urfave.Context, lines []contextLine) error {
	err := cli.Print(c, lines, func() cli.Table {
		t := contextTable(lines)
		t.Empty = "nothing to remove"
		return t
	})
	if err != nil || len(lines) == 0 {
		return err
	}
	entries := 0
	for _, l := range lines {
		entries += l.Entries
	}
	return fmt.Errorf("%w; --yes removes %s with %s", cli.ErrWouldChange, count(len(lines), "context", "contexts"), count(entries, "entry", "entries"))
}

// purgedLine is what became of a context.
type purgedLine struct {
	Context scope.ContextID `json:"context"`
	Removed int             `json:"removed"` // entries; 0 where it changed meanwhile
}

// purge removes nothing that changed after it was looked at.
func (f looked) purge(c *urfave.Context, lines []contextLine) ([]purgedLine, error) {
	purged := []purgedLine{}
	for _, l := range lines {
		removed, err := f.store.Purge(c.Context, l.Context, l.Changed)
		if err != nil {
			return purged, err
		}
		purged = append(purged, purgedLine{l.Context, removed})
	}
	return purged, nil
}

func purgedTable(purged []purgedLine) cli.Table {
	t := cli.Table{Header: []string{"CONTEXT", "REMOVED"}, Empty: "nothing to remove"}
	for _, p := range purged {
		removed := count(p.Removed, "entry", "entries")
		if p.Removed == 0 {
			removed = "nothing: it changed meanwhile"
		}
		t.Rows = append(t.Rows, []string{p.Context.String(), removed})
	}
	return t
}
