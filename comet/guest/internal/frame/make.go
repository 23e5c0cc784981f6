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
// stopped has those whose steps failed before, and gets those whose steps fail now. changed is why others are planned anew: somebody
// else has just changed a file of theirs.
func (p *Plan) make(ctx context.Context, stopped map[string]bool) (done []string, failed, changed error) {
	var failures, changes errorList
	anew := map[string]bool{} // whose steps are
	steps := p.Steps
	p.Steps = nil
	for i, s := range steps {
		if stopped[""] || anew[""] || ctx.Err() != nil {
			p.Steps = append(p.Steps, steps[i:]...)
			failures.add(ctx.Err())
			break
		}
		if !stopped[s.Of] && !anew[s.Of] {
			err := s.make(ctx)
			if err == nil && s.Own {
				continue
			}
			if err == nil {
				done = append(done, s.Text)
				continue
			}
			err = fmt.Errorf("%s: %w", s.Text, err)
			if errors.Is(err, atomicfile.ErrChanged) {
				anew[s.Of] = true
				changes.add(err)
			} else {
				stopped[s.Of] = true
				failures.add(err)
			}
		}
		p.Steps = append(p.Steps, s)
	}
	return done, failures.join(), changes.join()
}

// errorList are errors of one plan's steps. Of many only the first are kept: they tend to say the same.
type errorList struct {
	first []error
	more  int
}

func (l *errorList) add(err error) {
	const shown = 10
	if len(l.first) < shown {
		l.first = append(l.first, err)
	} else if err != nil {
		l.more++
	}
}

func (l *errorList) join() error {
	if l.more > 0 {
		l.first = append(l.first, fmt.Errorf("and %d more failed", l.more))
	}
	return errors.Join(l.first...)
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
