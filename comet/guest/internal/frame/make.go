package frame

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// make makes the steps, and leaves those in the plan that were not made. One that fails stops those behind it, or those of the same.
// stopped has those whose steps failed before, and gets those whose steps fail now.
func (p *Plan) make(ctx context.Context, stopped map[string]bool) (done []string, err error) {
	var failed failures
	changed := map[string]bool{} // whose files somebody else has just changed: they are planned anew
	steps := p.Steps
	p.Steps = nil
	for i, s := range steps {
		if stopped[""] || changed[""] || ctx.Err() != nil {
			p.Steps = append(p.Steps, steps[i:]...)
			failed.add(ctx.Err())
			break
		}
		if !stopped[s.Of] && !changed[s.Of] {
			err := s.make(ctx)
			if err == nil && s.Own {
				continue
			}
			if err == nil {
				done = append(done, s.Text)
				continue
			}
			if errors.Is(err, atomicfile.ErrChanged) {
				changed[s.Of] = true
			} else {
				stopped[s.Of] = true
			}
			failed.add(fmt.Errorf("%s: %w", s.Text, err))
		}
		p.Steps = append(p.Steps, s)
	}
	return done, failed.join()
}

// failures are the errors of one plan's steps. Of many only the first are kept: they tend to say the same.
type failures struct {
	first []error
	more  int
}

func (f *failures) add(err error) {
	const shown = 10
	if len(f.first) < shown || errors.Is(err, atomicfile.ErrChanged) {
		f.first = append(f.first, err)
	} else if err != nil {
		f.more++
	}
}

func (f *failures) join() error {
	if f.more > 0 {
		f.first = append(f.first, fmt.Errorf("and %d more failed", f.more))
	}
	return errors.Join(f.first...)
}

func (s Step) make(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, recovered(recover())) }()
	return s.Do(ctx)
}

// recovered makes an error of a panic, and says where, since nobody else will.
func recovered(cause any) error {
	if cause == nil {
		return nil
	}
	what := "panic" // whose text may hold anything
	if e, ok := cause.(runtime.Error); ok {
		what = e.Error()
	}
	return fmt.Errorf("%s at %s", OneLine(what), OneLine(string(debug.Stack())))
}
