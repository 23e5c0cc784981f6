package guest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// Run keeps the VM as its slice wants it until ctx ends, and then returns nil. It makes a pass at once with what was known before, when
// something of the slice changed, which heads that offer it tell within about a tenth of a second, when something on the machine woke
// it, and every now and then (Settings.Every) for what nobody tells of. What fails is logged and tried again; after each pass the status
// is passed to seen, which may be nil.
func (g *Guest) Run(ctx context.Context, seen func(Status)) error {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer g.runner.End()
	defer cancel()
	for _, c := range g.contexts {
		following.Go(func() { _ = c.Follow(ctx) }) // what goes wrong is in the status
	}
	following.Go(func() { g.watchLinks(ctx) })
	pause := time.NewTimer(0)
	defer pause.Stop()
	var rest <-chan time.Time // nil while there is none
	for {
		woken := g.machine.Woken()
		if rest != nil {
			woken = nil
		}
		select {
		case <-ctx.Done():
			return g.remember(true)
		case <-rest:
			rest = nil
			continue
		case <-woken:
		case <-pause.C:
		}
		began := time.Now()
		st, err := g.pass(ctx, g.runner.Pass)
		rest = time.After(resting(time.Since(began)))
		if ctx.Err() == nil {
			g.tell(st, errors.Join(err, g.remember(false)))
			if seen != nil {
				seen(st)
			}
		}
		pause.Reset(g.Every)
	}
}

// resting is how long news wait after a pass that took that long, so that a slice which comes up all at once is not looked at anew for each
// of its VMs. News after a quiet time wait for nothing.
func resting(pass time.Duration) time.Duration { return min(4*pass, 400*time.Millisecond) }

// tell logs what a pass changed, and once what is wrong.
func (g *Guest) tell(st Status, err error) {
	if err != nil {
		g.say("pass", frame.OneLine(err.Error()))
	} else {
		g.hush("pass")
	}
	for _, m := range st.Modules {
		for _, c := range m.Done {
			g.Logger.Info(c.Text, slog.String("module", m.Name))
		}
		if m.State == StateFailed {
			g.say(m.Name, m.Error)
		} else {
			g.hush(m.Name)
		}
		for _, n := range m.Notes {
			g.say(m.Name+" "+n.About, string(n.Kind)+": "+n.Why)
		}
	}
}

// watchLinks wakes the guest when a network interface comes or changes, where it looks after them.
func (g *Guest) watchLinks(ctx context.Context) {
	if g.machine.Needs() != nil || g.modes["interfaces"] == Off {
		return
	}
	if err := g.links.Watch(ctx); err != nil && ctx.Err() == nil {
		g.Logger.Warn("network interfaces that come late are seen at the next look", slog.String("because", frame.OneLine(err.Error())))
	}
}
