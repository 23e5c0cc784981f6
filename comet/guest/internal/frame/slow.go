package frame

import (
	"context"
	"errors"
	"time"
)

// Slow is a module that may have to wait for others than this machine, such as the portal of a disk that does not answer.
type Slow interface {
	Module

	// Slow does nothing.
	Slow()
}

func (m *running) slow() bool { _, is := m.Module.(Slow); return is }

// alone lets a slow module work while no other guest's does: each has a lock of its own, so that nothing else waits for it. One that
// cannot be had is a failure of that module.
func (r *Runner) alone(ctx context.Context, m *running) (report Report) {
	unlock, err := r.machine.lock(ctx, slowLock+m.Name())
	if err != nil {
		m.note(err)
		return Report{Module: m.Name(), Mode: m.mode, Err: err}
	}
	defer func() { report.Err = errors.Join(report.Err, unlock()) }()
	return r.apply(ctx, m)
}

// aside is what is known of a slow module that works beside the others.
type aside struct {
	ended chan struct{} // closed at the end of its work; nil: it is not at work
	now   Report        // once it has ended
	last  Report        // what came of it before
	once  bool          // it has ended since the Runner began
	again bool          // a pass came while it was at work, which may have seen something new
}

// moment is how long a pass waits for a slow module.
const moment = 200 * time.Millisecond

// Pass is Apply for who comes again and again. It waits but a moment for slow modules, which then go on beside it: their reports are those
// of before, and when one has ended the machine wakes. Modules behind one wait only until it has ended once, since their order counts. Its
// context is theirs as well; End waits for them.
func (r *Runner) Pass(ctx context.Context) ([]Report, error) {
	first := ""
	return r.each(ctx, func(ctx context.Context, m *running) Report {
		switch {
		case first != "" && m.mode != Off:
			return m.waiting("comes after " + first + ", which is at work")
		case !m.slow():
			return r.apply(ctx, m)
		}
		report := r.beside(ctx, m)
		if !m.aside.once {
			first = m.Name()
		}
		return report
	})
}

// End returns when no slow module is at work any more, soon after the end of the context that Pass was given.
func (r *Runner) End() { r.aside.Wait() }

// beside begins with a slow module where it is not at work, and returns what came of it.
func (r *Runner) beside(ctx context.Context, m *running) Report {
	a := &m.aside
	if a.ended != nil {
		select {
		case <-a.ended:
			return r.ended(a)
		default:
			a.again = true
			return m.waiting("is at work")
		}
	}
	r.begin(ctx, m)
	select {
	case <-a.ended:
		return r.ended(a)
	case <-time.After(moment):
		ended := a.ended
		r.aside.Go(func() { <-ended; r.machine.Wake() })
		return m.waiting("is at work")
	}
}

func (r *Runner) begin(ctx context.Context, m *running) {
	ended := make(chan struct{})
	m.aside.ended = ended
	r.aside.Go(func() {
		defer close(ended)
		m.aside.now = r.alone(ctx, m)
	})
}

// ended takes up what came of a slow module. What it has done is told once.
func (r *Runner) ended(a *aside) Report {
	if a.again {
		r.machine.Wake()
	}
	report := a.now
	*a = aside{last: a.now, once: true}
	a.last.Done = nil
	return report
}

// waiting is what came of a module before, with a note.
func (m *running) waiting(why string) Report {
	report := m.aside.last
	report.Module, report.Mode, report.Before = m.Name(), m.mode, true
	report.Plan.Notes = append(report.Plan.Notes[:len(report.Plan.Notes):len(report.Plan.Notes)], Note{Kind: Waiting, About: m.Name(), Why: why})
	return report
}
