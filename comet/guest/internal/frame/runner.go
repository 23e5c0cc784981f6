package frame

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// Mode switches a module.
type Mode string

const (
	On      Mode = "on"
	Off     Mode = "off"
	Observe Mode = "observe" // it plans, and says what it would do, and does nothing
)

// ParseMode reads a mode as settings have it; yes, true and 1 mean on, no, false and 0 off.
func ParseMode(text string) (Mode, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "on", "yes", "true", "1":
		return On, nil
	case "off", "no", "false", "0":
		return Off, nil
	case "observe":
		return Observe, nil
	}
	return "", fmt.Errorf("%q is none of on, off, observe", text)
}

// Runner looks after modules in their order. One goroutine at a time may use it.
type Runner struct {
	machine *Machine
	first   time.Duration
	longest time.Duration
	modules []*running
	shared  []string // files that a crash may have torn
	aside   sync.WaitGroup
}

// running is a module with what came of it.
type running struct {
	Module
	mode     Mode
	failed   string // the plan that failed last, empty after success
	err      error  // why it failed
	failures int    // in a row
	retry    time.Time
	aside    aside
	since    time.Time // when the passes began that have all failed
}

// NewRunner returns a runner without modules. A plan that failed is tried again after about first, then after longer and longer pauses up
// to longest; a second and five minutes where they are zero. Another plan of the same module is tried at once.
func NewRunner(m *Machine, first, longest time.Duration) *Runner {
	if first <= 0 {
		first = time.Second
	}
	if longest <= 0 {
		longest = 5 * time.Minute
	}
	return &Runner{machine: m, first: first, longest: longest}
}

// Mend names files, below the root, that may be mounts: those are rewritten in place, and what a crash has left of one is mended before
// the next pass. No plan would show it where the guest's own lines are right.
func (r *Runner) Mend(files ...string) { r.shared = append(r.shared, files...) }

// Add puts a module behind those that are there.
func (r *Runner) Add(m Module, mode Mode) {
	r.modules = append(r.modules, &running{Module: m, mode: mode})
}

// Report is what came of one module.
type Report struct {
	Module string
	Mode   Mode
	Plan   Plan      // what is left to do: all that was planned, less what was made
	Done   []string  // the texts of the steps that were made
	Err    error     // why it stopped, now or when what is pausing failed
	Retry  time.Time // when what failed is tried again; zero: at the next pass
	Before bool      // what came of it before is told once more, since it is at work again
}

// Plan lets every module look, and changes nothing.
func (r *Runner) Plan(ctx context.Context) (reports []Report) {
	for _, m := range r.modules {
		report := Report{Module: m.Name(), Mode: m.mode}
		report.Plan, report.Err = m.look(ctx)
		reports = append(reports, report)
	}
	return reports
}

// Apply lets every module look and makes the steps that it plans, but for those that observe. Other guests on this machine wait
// meanwhile. The error says that no more could be tried; what modules failed at is in the reports.
func (r *Runner) Apply(ctx context.Context) ([]Report, error) {
	return r.each(ctx, func(ctx context.Context, m *running) Report {
		if m.slow() {
			return r.alone(ctx, m)
		}
		return r.apply(ctx, m)
	})
}

// each takes the modules in their order, those that are not slow while no other guest on this machine works.
func (r *Runner) each(ctx context.Context, apply func(context.Context, *running) Report) (reports []Report, err error) {
	var unlock func() error
	release := func() error {
		if unlock == nil {
			return nil
		}
		defer func() { unlock = nil }()
		return unlock()
	}
	defer func() { err = errors.Join(err, release()) }()
	for _, m := range r.modules {
		if m.slow() {
			err = release()
		} else if unlock == nil {
			if unlock, err = r.machine.lock(ctx, lockFile); err == nil {
				r.mend()
			}
		}
		if err != nil {
			return reports, err
		}
		reports = append(reports, apply(ctx, m))
	}
	return reports, nil
}

// mend puts right what a crash has torn.
func (r *Runner) mend() {
	r.shared = slices.DeleteFunc(r.shared, func(file string) bool {
		_, err := atomicfile.Recover(r.machine.root, file, atomicfile.ReplaceOptions{})
		return err == nil // else whose file it is will fail as well, and say so
	})
}

// note keeps since when a module fails.
func (m *running) note(err error) {
	switch {
	case err == nil || errors.Is(err, ErrUnknown) || errors.Is(err, ErrNeedsRoot):
		m.since = time.Time{}
	case m.since.IsZero():
		m.since = time.Now()
	}
}

// Failing returns since when a module has failed in every pass, the last one included; the zero time where it has not. That nobody has
// told yet what is wanted, or that a module needs more of the machine, is no failure.
func (r *Runner) Failing(name string) (since time.Time) {
	for _, m := range r.modules {
		if m.Name() == name {
			since = m.since
		}
	}
	return since
}

// rounds is how often a module may plan in one pass: after steps that had to come first, or when somebody changed a file meanwhile.
const rounds = 12

func (r *Runner) apply(ctx context.Context, m *running) (report Report) {
	report = Report{Module: m.Name(), Mode: m.mode}
	defer func() {
		report.Retry = sooner(report.Retry, report.Plan.Retry)
		m.note(report.Err)
	}()
	stopped := map[string]bool{} // whose steps have failed in this pass
	var failed, changed error
	for range rounds {
		report.Plan, report.Err = m.look(ctx)
		changed = nil
		if m.mode == Observe || len(report.Plan.Steps) == 0 {
			break
		}
		if report.Plan.text() == m.failed && time.Now().Before(m.retry) {
			report.Err = errors.Join(report.Err, m.err)
			report.Retry = m.retry
			return report
		}
		done, now, anew := report.Plan.make(ctx, stopped)
		report.Done, failed, changed = append(report.Done, done...), errors.Join(failed, now), anew
		if changed != nil && ctx.Err() == nil {
			continue
		}
		if !report.Plan.More || stopped[""] || len(done) == 0 || ctx.Err() != nil {
			break // else what others' steps wait for may be there now
		}
	}
	if failed == nil {
		report.Err = errors.Join(report.Err, changed)
		m.failed, m.failures, m.err = "", 0, nil
		return report
	}
	left, err := m.look(ctx)
	if err == nil && len(left.Steps) == 0 { // what failed is not wanted any more
		report.Plan, report.Err = left, nil
		m.failed, m.failures, m.err = "", 0, nil
		return report
	}
	report.Err = errors.Join(report.Err, failed, changed)
	m.err = failed
	r.pause(m, left.text(), &report)
	return report
}

// pause notes what is left to do after a failure, which is not tried again at once.
func (r *Runner) pause(m *running, plan string, report *Report) {
	if plan != m.failed {
		m.failures = 0
	}
	wait := min(r.first<<min(m.failures, 20), r.longest)
	m.failed, m.failures = plan, m.failures+1
	m.retry = time.Now().Add(wait*3/4 + rand.N(wait/2+1))
	report.Retry = m.retry
}

// look is Plan, or Withdraw; a module that panics has failed, and no more than that.
func (m *running) look(ctx context.Context) (p Plan, err error) {
	defer func() { err = errors.Join(err, recovered(recover())) }()
	if m.mode != Off {
		return m.Plan(ctx)
	}
	if w, ok := m.Module.(Withdrawer); ok {
		return w.Withdraw(ctx)
	}
	return Plan{}, nil
}

// text tells one plan from another.
func (p Plan) text() string {
	var b strings.Builder
	for _, s := range p.Steps {
		b.WriteString(s.Text + "\n" + s.Diff + "\n")
	}
	return b.String()
}

// Wait returns when nothing is under way any more that steps have started, or when ctx ends.
func (r *Runner) Wait(ctx context.Context) error {
	for _, m := range r.modules {
		if b, ok := m.Module.(Busy); ok && m.mode == On {
			if err := b.Wait(ctx); err != nil {
				return fmt.Errorf("%s: %w", m.Name(), err)
			}
		}
	}
	return nil
}
