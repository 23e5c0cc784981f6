package guest

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

// Run keeps the VM in touch until ctx ends, and then returns nil. It makes a pass when something of the slice changed, which heads
// that offer it tell within about a tenth of a second, and every now and then (Settings.Every) for what changed on the machine
// itself; a pass asks heads only about what has to be published. What fails is logged and tried again; each pass that changed
// something is passed to seen, which may be nil.
func (g *Guest) Run(ctx context.Context, seen func(Report)) error {
	ctx, cancel := context.WithCancel(ctx)
	v := newView()
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() { g.watch(ctx, v) })
	pause := time.NewTimer(g.Every)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-v.changed:
		case <-pause.C:
		}
		r, err := g.pass(ctx, v)
		if err != nil && ctx.Err() == nil {
			g.log.WarnContext(ctx, "pass", slog.String("error", oneLine(err)))
		}
		if len(r.Changed) > 0 && seen != nil {
			seen(r)
		}
		pause.Reset(g.Every)
	}
}

// watch keeps the view true.
func (g *Guest) watch(ctx context.Context, v *view) {
	w := comet.Watch{
		Context:  g.self.SliceID,
		Families: g.families(),
		Read:     []scope.Token{g.self.Slice.Tokens.Read},
		Every:    g.Every,
		Failed: func(err error) {
			if v.fail(err) {
				g.log.WarnContext(ctx, "no head tells of the slice; what is known stays", slog.String("because", oneLine(err)))
			}
		},
	}
	if len(w.Families) == 0 {
		return
	}
	err := g.client.Watch(ctx, w, func(c comet.Change) error {
		v.take(c)
		return nil
	})
	if err != nil {
		v.fail(err)
		g.log.WarnContext(ctx, "the slice is not watched any more", slog.String("because", oneLine(err)))
	}
}

// families are those in which this VM has something to learn or to publish.
func (g *Guest) families() (all []scope.Family) {
	add := func(groups []string, familyOf func(string) (scope.Family, error)) {
		for _, group := range groups {
			if family, err := familyOf(group); err == nil && !slices.Contains(all, family) {
				all = append(all, family)
			}
		}
	}
	s := g.self.Slice
	add(s.HostsRead, scope.HostsOf)
	add(s.HostsWrite, scope.HostsOf)
	add(s.PubKeysRead, scope.PubKeysOf)
	add(s.PubKeysWrite, scope.PubKeysOf)
	return all
}

// holds reports whether an entry is known to be as edit would make it, so that no head need be asked.
func holds(from source, name scope.Name, edit func(*scope.List) error) bool {
	e, known := from.entry(name)
	if !known {
		return false
	}
	list, err := scope.ParseList(e.Value)
	return err == nil && edit(list) == nil && bytes.Equal(list.Bytes(), e.Value)
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
