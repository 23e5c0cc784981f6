package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// Heads are what a change must not cut the machine off from.
type Heads struct {
	Addresses func() []netip.Addr         // as far as they are known; may be nil
	Reach     func(context.Context) error // asks a head, and allows it the seconds that a network needs to settle; may be nil: then nothing is taken back
	Reached   func(context.Context) error // what Reach said last in this pass; it asks where nobody has yet. May be nil: then Reach is asked
}

// Known returns the addresses.
func (h Heads) Known() []netip.Addr {
	if h.Addresses == nil {
		return nil
	}
	return h.Addresses()
}

// Guard takes changes back that have cut off the heads. What it needs for that is on disk while the change is under way, so that a
// guest that is killed in the middle does it at its next start. Where the heads cannot be reached before the change already, nothing
// can be judged, and the change stays, unless it was taken back before.
type Guard struct {
	machine *frame.Machine
	module  string
	heads   Heads
	before  *before  // of the change under way; nil after a start
	tried   []string // by which elements the changes were asked for that were made last, unless some had been taken back before
}

// NewGuard returns the guard of a module.
func NewGuard(m *frame.Machine, module string, h Heads) *Guard {
	if h.Reached == nil {
		h.Reached = h.Reach
	}
	return &Guard{machine: m, module: module, heads: h}
}

// Resume returns the step that judges a change which was cut short, or goes on going back. While there is one, nothing else should be
// planned.
func (g *Guard) Resume() ([]frame.Step, error) {
	b, err := g.load()
	if b == nil || err != nil || g.heads.Reach == nil {
		return nil, err
	}
	step := frame.Step{Text: "see whether the heads answer after a change that was cut short, and go back if not", Do: g.judge}
	switch {
	case b.Boot != frame.BootID(): // nothing is left to go back to
		step.Text, step.Do = "note that a change was cut short before it was judged", func(ctx context.Context) error { return g.lose(ctx, b) }
	case b.Back:
		step.Text = "go on going back from a change that cut off the heads"
	}
	return []frame.Step{step}, nil
}

// lose forgets what was before a change in another boot. Where it has not been judged, nobody knows whether it was well.
func (g *Guard) lose(ctx context.Context, b *before) (err error) {
	if !b.Back {
		err = g.noteBack(b.Touched.Asked, atOnce)
	}
	return errors.Join(err, g.forget(ctx))
}

func (g *Guard) begin(ctx context.Context, t Touched) error {
	g.tried = nil
	back, err := g.takenBack()
	if err != nil {
		return err
	}
	again := back.holds(t.Asked)
	if err := g.heads.Reached(ctx); err != nil {
		if again {
			return fmt.Errorf("%w, and waits for them: %w", ErrTakenBack, err)
		}
		return ctx.Err()
	}
	b, err := take(t)
	if err != nil {
		return err
	}
	if err := g.machine.Save(g.file(), b.kept()); err != nil {
		return err
	}
	if g.before = b; !again {
		g.tried = t.Asked
	}
	return nil
}

func (g *Guard) judge(ctx context.Context) error {
	b, err := g.load()
	if b == nil || err != nil {
		return err
	}
	if g.before != nil { // which has all that a file cannot hold
		b = g.before
	}
	if b.Back {
		return g.goBack(ctx, b, ErrTakenBack)
	}
	cause := g.heads.Reach(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // to be judged at the next start
	case cause == nil:
		return errors.Join(g.dropBack(b.Touched.Asked), g.forget(ctx))
	}
	return g.goBack(ctx, b, errors.Join(fmt.Errorf("%w: %w", ErrTakenBack, cause), g.noteGoing(b)))
}

// noteGoing notes that a change is taken back. From then on heads that answer do not speak for it.
func (g *Guard) noteGoing(b *before) error {
	if err := g.noteBack(b.Touched.Asked, inAWhile(b.Touched.Asked)); err != nil {
		return err
	}
	b.Back = true
	return g.machine.Save(g.file(), b.kept())
}

// goBack makes things as they were. It is done once the heads answer or all is as it was; else it is tried again.
func (g *Guard) goBack(ctx context.Context, b *before, cause error) error {
	failed := b.restore()
	reached := g.heads.Reach(ctx)
	switch {
	case ctx.Err() != nil:
		return errors.Join(cause, ctx.Err()) // to be done at the next start
	case failed != nil && reached != nil:
		return fmt.Errorf("the heads are cut off, and going back failed: %w: %w", failed, cause)
	case reached != nil: // which may not be for the change
		failed = g.noteBack(b.Touched.Asked, atOnce)
	}
	return errors.Join(cause, failed, g.forget(ctx))
}

func (g *Guard) file() string { return g.module + "-before" }

// load returns what was noted of a change that has not been judged, be it in another boot.
func (g *Guard) load() (*before, error) {
	b := &before{}
	found, err := g.machine.Load(g.file(), b)
	if err != nil || !found {
		return nil, err
	}
	return b, nil
}

func (g *Guard) forget(ctx context.Context) error {
	g.before = nil
	steps, err := g.machine.Remove(g.machine.State(g.file()))
	for _, s := range steps {
		err = errors.Join(err, s.Do(ctx))
	}
	return err
}
