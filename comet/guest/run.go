package guest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
)

// Run keeps the VM as its slice wants it until ctx ends, and then returns nil. It makes a pass at once with what was known before, when
// something of the slice changed, which heads that offer it tell within about a tenth of a second, when something on the machine woke
// it, and every now and then (Settings.Every) for what nobody tells of. What fails is logged and tried again; after each pass the status
// is passed to seen, which may be nil.
func (g *Guest) Run(ctx context.Context, seen func(Status)) error {
	g.order.patience = patience
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
			g.remember(true)
			return nil
		case <-rest:
			rest = nil
			continue
		case <-woken:
		case <-pause.C:
		}
		began := time.Now()
		st, err := g.pass(ctx, g.runner.Pass, g.Every)
		rest = time.After(resting(time.Since(began)))
		if ctx.Err() == nil {
			g.tell(st, err)
			g.remember(false)
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
	g.failed("", err)
	invisible := g.sayInvisible(st)
	for _, m := range st.Modules {
		for _, c := range m.Done {
			g.Logger.Info(c.Text, slog.String("module", m.Name))
		}
		if m.State != StateFailed {
			m.err = nil // it only needs what it cannot have here
		}
		if !m.before { // else it has been logged
			g.failed(m.Name, m.err)
		}
		for _, n := range m.Notes {
			if !invisible || n.Why != known.ErrDoubted.Error() && n.Why != known.ErrEmpty.Error() {
				g.note(m.Name, n)
			}
		}
	}
}

// sayInvisible logs of each context that heads show nothing of this VM, which is why its modules doubt, and reports whether there is one.
func (g *Guest) sayInvisible(st Status) (any bool) {
	for _, c := range st.Contexts {
		if c.Failure != Invisible {
			g.hush("", c.Context)
			continue
		}
		any = true
		g.say(slog.LevelWarn, "", c.Context, c.Error)
	}
	return any
}

// failed logs why a module, or the pass itself, has failed.
func (g *Guest) failed(module string, err error) {
	if err == nil {
		g.hush(module, "")
		return
	}
	what := "failed: "
	if module == "" {
		what = "the pass failed: "
	}
	g.say(slog.LevelWarn, module, "", what+frame.OneLine(err.Error()))
}

// note logs a note. What is waited for is nothing wrong yet, and that a head was asked in vain its context has logged.
func (g *Guest) note(module string, n Note) {
	level := slog.LevelWarn
	if n.Kind == frame.Waiting {
		level = slog.LevelInfo
	}
	if n.Why != known.ErrUnheard.Error() {
		g.say(level, module, n.About, string(n.Kind)+": "+n.Why)
	}
}
