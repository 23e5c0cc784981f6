package scripts

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/scope"
)

// Settings say how scripts are run.
type Settings struct {
	Limit    time.Duration // how long one may run; an hour where it is zero
	Grace    time.Duration // how long one that is ended may take for it; 10 s where it is zero
	Rerun    bool          // whether one that was cut short is run again
	MaxLog   int           // bytes of output that are kept; 1 MiB where it is zero
	OldState string        // below the root: where older tools left marks of what they ran; var/lib/neuca where it is empty
}

var _ frame.Busy = (*Scripts)(nil)

// Scripts is the module "scripts".
type Scripts struct {
	keeper
	wanted frame.Source[scope.Script]
	waits  func() (why string)

	mu      sync.Mutex
	current *watch // nil where no script is known to run
}

// New returns the module that runs these scripts.
func New(m *frame.Machine, wanted frame.Source[scope.Script], s Settings) *Scripts {
	s.Limit = cmp.Or(s.Limit, time.Hour)
	s.Grace = cmp.Or(s.Grace, 10*time.Second)
	s.MaxLog = cmp.Or(s.MaxLog, 1<<20)
	s.OldState = cmp.Or(s.OldState, "var/lib/neuca")
	return &Scripts{keeper: keeper{s, m}, wanted: wanted, waits: func() string { return "" }}
}

// After has no script begin while waits says why it must not, in one line.
func (s *Scripts) After(waits func() (why string)) { s.waits = waits }

// Name returns "scripts".
func (*Scripts) Name() string { return "scripts" }

// Plan looks how far the scripts are, and begins at most one.
func (s *Scripts) Plan(ctx context.Context) (frame.Plan, error) {
	if err := s.machine.Needs(); err != nil {
		return frame.Plan{}, err
	}
	wanted, err := s.wanted()
	if err != nil {
		return frame.Plan{}, err
	}
	list, notes := check(wanted)
	plan := frame.Plan{Notes: notes}
	j, err := s.journal()
	if err != nil {
		return plan, err
	}
	busy, err := s.settle(j, &plan)
	if err != nil {
		return plan, err
	}
	for _, w := range list {
		r, known := j.find(w)
		again, err := s.again(r)
		if err != nil {
			return plan, fmt.Errorf("%s: %w", r.text(), err)
		}
		switch {
		case known && r.well():
			plan.Count++
		case known && !again:
			plan.Notes = append(plan.Notes, s.note(r))
		case !known && !j.knows(w.name) && s.marked(w.name):
			plan.Steps = append(plan.Steps, s.adopt(w))
			plan.More = true
		case busy != "":
			plan.Notes = append(plan.Notes, w.waiting("comes after script "+frame.OneLine(busy)))
		default:
			busy = w.name
			if why := s.keeps(ctx); why != "" {
				plan.Notes = append(plan.Notes, w.waiting(why))
				continue
			}
			plan.Steps = append(plan.Steps, s.begin(w))
			plan.More = true // so that what is reported is that it runs
		}
	}
	return plan, nil
}

// keeps says what keeps a script from being begun.
func (s *Scripts) keeps(ctx context.Context) (why string) {
	if _, err := s.machine.Units(ctx); err != nil {
		return frame.OneLine(err.Error())
	}
	return s.waits()
}

// Wait returns when no script is running any more.
func (s *Scripts) Wait(ctx context.Context) error {
	s.mu.Lock()
	w := s.current
	s.mu.Unlock()
	if w == nil {
		return nil
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle plans what becomes of scripts that have begun, and returns the name of one that runs.
func (s *Scripts) settle(j journal, plan *frame.Plan) (busy string, err error) {
	for _, r := range j {
		if r.State != running {
			continue
		}
		switch begun, err := s.begun(r); {
		case err != nil:
			return "", fmt.Errorf("%s: %w", r.text(), err)
		case !begun:
			continue
		}
		s.mu.Lock()
		watched := s.current != nil && s.current.record.id() == r.id()
		s.mu.Unlock()
		switch {
		case watched:
			busy = r.Name
		case s.process(r) != 0:
			busy = r.Name
			plan.Steps = append(plan.Steps, frame.Step{Text: "watch " + r.text() + ", which is running", Do: func(context.Context) error {
				return s.watch(r)
			}})
		default:
			plan.Steps = append(plan.Steps, frame.Step{Text: "note how " + r.text() + " has ended", Do: func(context.Context) error {
				return s.finish(r, 0, false)
			}})
			plan.More = true
			busy = r.Name
		}
	}
	return busy, nil
}

// script is a script as it is wanted, checked.
type script struct {
	name, hash string
	body       scope.Hidden // without white space around it
}

func (w script) waiting(why string) frame.Note {
	return frame.Note{Kind: frame.Waiting, About: "script " + frame.OneLine(w.name), Why: why}
}

// check leaves out what is wrong and puts the scripts into their order.
func check(wanted frame.Wanted[scope.Script]) (list []script, notes []frame.Note) {
	notes = wanted.Notes
	seen := map[string]bool{}
	for i, e := range wanted.Elements {
		w := newScript(e)
		err := e.Validate()
		switch {
		case err != nil:
		case len(e.Body.Reveal()) > maxBody:
			err = &scope.FieldError{Field: "scriptBody", Reason: fmt.Sprintf("is longer than %d bytes", maxBody)}
		case w.body == scope.Hidden{}:
			err = &scope.FieldError{Field: "scriptBody", Reason: "is blank"}
		case seen[w.name]:
			err = &scope.FieldError{Field: "scriptName", Reason: "is there twice; the first one counts"}
		}
		if err != nil {
			about := fmt.Sprintf("script %q (element %d)", e.Name[:min(len(e.Name), 40)], i)
			notes = append(notes, frame.Note{Kind: frame.LeftOut, About: about, Why: err.Error()})
			continue
		}
		seen[w.name] = true
		list = append(list, w)
	}
	slices.SortStableFunc(list, func(a, b script) int { return cmp.Compare(rank(a), rank(b)) })
	return list, notes
}

// maxBody is what heads take.
const maxBody = 1 << 20

func rank(w script) int {
	if w.name == scope.BootScript {
		return 0
	}
	return 1
}
