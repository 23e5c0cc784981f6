package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// Turn is what a Guard lets be done now.
type Turn struct {
	steps []frame.Step
	more  bool     // others have their turn once these steps are made
	now   []string // the elements that the steps are for
	left  []string // those whose changes are not among the steps
}

// Plan is what is done now, with how many of these elements, by what Change calls Asked, are then in place.
func (t Turn) Plan(asked []string) frame.Plan {
	p := frame.Plan{Steps: t.steps, More: t.more}
	now, left := setOf(t.now), setOf(t.left)
	for _, a := range asked {
		if !left[a] {
			p.Count++
		}
		if now[a] {
			p.Later++
		}
	}
	return p
}

// Around puts changes between a step that notes how things are and one that asks whether the heads still answer. Those of elements that
// were taken back are left out for a while, and then come by themselves, one part after another, when nothing else is left to do but
// what has just failed. The error names those that are left out. asked are the elements that are wanted now; where that is the whole of
// it, what was taken back of others is forgotten.
func (g *Guard) Around(changes []Change, asked []string, whole bool) (t Turn, err error) {
	if g.heads.Reach == nil {
		steps, touched := merge(changes)
		return Turn{steps: steps, now: touched.Asked}, nil
	}
	back, err := g.takenBack()
	if err != nil {
		return t, err
	}
	var others []string
	if whole {
		others = back.besides(changes, asked)
	}
	q := back.without(others).queue(changes)
	now, later := q.never, slices.Concat(q.again, q.later)
	if len(q.again) > 0 && holdAll(g.tried, q.never) {
		now, later = q.again, slices.Concat(q.never, q.later)
	}
	t.steps = append(g.guarded(of(changes, now)), g.forgetBack(others)...)
	t.more, t.now, t.left = len(later) > 0, now, slices.Concat(later, q.resting)
	return t, q.wait(later)
}

// guarded puts changes between its two steps.
func (g *Guard) guarded(changes []Change) []frame.Step {
	if len(changes) == 0 {
		return nil
	}
	middle, touched := merge(changes)
	first := frame.Step{Text: "note how the network is, to be able to go back", Do: func(ctx context.Context) error { return g.begin(ctx, touched) }}
	last := frame.Step{Text: "see whether the heads still answer, and go back if not", Do: g.judge}
	return append(append([]frame.Step{first}, middle...), last)
}

// queue has the elements that ask for changes, each in one of its lists.
type queue struct {
	never   []string // were never taken back
	again   []string // are to be tried again together
	later   []string // are to be tried after those
	resting []string
	next    time.Time // when the first of those has rested
}

// queue sorts the elements of changes. Of those that were taken back together one half is tried, so that in the end the good ones stand
// and only what cuts off the heads is left out.
func (t takenBack) queue(changes []Change) (q queue) {
	asking := map[string]bool{}
	for _, c := range changes {
		asking[c.Asked] = true
	}
	for _, r := range t {
		var there []string
		for _, a := range r.Asked {
			if asking[a] {
				there = append(there, a)
			}
			delete(asking, a)
		}
		switch left := time.Until(r.Until); {
		case left > 0 && left <= resting: // else the clock was set
			if q.resting = append(q.resting, there...); len(there) > 0 && (q.next.IsZero() || r.Until.Before(q.next)) {
				q.next = r.Until
			}
		case len(q.again) == 0:
			half := (len(there) + 1) / 2
			q.again, q.later = there[:half], append(q.later, there[half:]...)
		default:
			q.later = append(q.later, there...)
		}
	}
	for _, c := range changes {
		if asking[c.Asked] {
			q.never = append(q.never, c.Asked)
			delete(asking, c.Asked)
		}
	}
	return q
}

// wait says what is left out, later in this pass or until it has rested.
func (q queue) wait(later []string) (err error) {
	if len(later) > 0 {
		err = fmt.Errorf("%s: tried once other changes are made", few(later))
	}
	if len(q.resting) > 0 {
		err = errors.Join(err, fmt.Errorf("%s: %w; tried again after %s, or when something else is wanted",
			few(q.resting), ErrTakenBack, q.next.Format(time.DateTime)))
	}
	return err
}

// of returns the changes of some elements.
func of(changes []Change, asked []string) []Change {
	set := setOf(asked)
	return slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return !set[c.Asked] })
}

// holdAll reports whether all of some are among all.
func holdAll(all, some []string) bool {
	set := setOf(all)
	return !slices.ContainsFunc(some, func(a string) bool { return !set[a] })
}
