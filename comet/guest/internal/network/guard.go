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
// can be judged, and the change stays.
type Guard struct {
	machine *frame.Machine
	file    string
	reach   func(context.Context) error
	before  *before // of the change under way; nil after a start
}

// NewGuard returns the guard of a module.
func NewGuard(m *frame.Machine, module string, h Heads) *Guard {
	return &Guard{machine: m, file: module + "-before", reach: h.Reach}
}

// Around puts steps between one that notes how things are and one that asks whether the heads still answer.
func (g *Guard) Around(steps []frame.Step, t Touched) []frame.Step {
	if g.reach == nil || len(steps) == 0 {
		return steps
	}
	first := frame.Step{Text: "note how the network is, to be able to go back", Do: func(ctx context.Context) error { return g.begin(ctx, t) }}
	last := frame.Step{Text: "see whether the heads still answer, and go back if not", Do: g.judge}
	return append(append([]frame.Step{first}, steps...), last)
}

// Resume returns the step that judges a change which was cut short. While there is one, nothing else should be planned.
func (g *Guard) Resume() ([]frame.Step, error) {
	b, err := g.load()
	if b == nil || err != nil || g.reach == nil {
		return nil, err
	}
	return []frame.Step{{Text: "see whether the heads answer after a change that was cut short, and go back if not", Do: g.judge}}, nil
}

func (g *Guard) begin(ctx context.Context, t Touched) error {
	if err := g.reach(ctx); err != nil {
		return ctx.Err()
	}
	b, err := take(t)
	if err != nil {
		return err
	}
	g.before = b
	return g.machine.Save(g.file, b.kept())
}

func (g *Guard) judge(ctx context.Context) error {
	b, err := g.load()
	if b == nil || err != nil {
		return err
	}
	if g.before != nil { // which has all that a file cannot hold
		b = g.before
	}
	cause := g.reach(ctx)
	if ctx.Err() != nil {
		return ctx.Err() // to be judged at the next start
	}
	if cause != nil {
		if err := b.restore(); err != nil {
			return fmt.Errorf("the heads are cut off (%w), and going back failed: %w", cause, err)
		}
		cause = fmt.Errorf("the heads were cut off, so the change was taken back: %w", cause)
	}
	return errors.Join(cause, g.forget(ctx))
}

// load returns what was noted in this boot; of another one nothing is left to go back to.
func (g *Guard) load() (*before, error) {
	b := &before{}
	found, err := g.machine.Load(g.file, b)
	if err != nil || !found || b.Boot != BootID() {
		return nil, err
	}
	return b, nil
}

func (g *Guard) forget(ctx context.Context) error {
	g.before = nil
	steps, err := g.machine.Remove(g.machine.State(g.file))
	for _, s := range steps {
		err = errors.Join(err, s.Do(ctx))
	}
	return err
}
