package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// ErrTakenBack says that a change cut off the heads, and that things are again as they were before.
var ErrTakenBack = errors.New("taken back, since it cut off the heads")

// takenBack are the changes that were taken back. It outlives a reboot: where no head answers, they must not be applied for good.
type takenBack []refused

// refused are elements, as they were wanted, that were applied and taken back together.
type refused struct {
	Asked []string
	Until time.Time // not tried again before
}

// How long elements are not tried again: each time costs the contact with the heads.
const (
	resting = time.Hour       // what cuts off the heads by itself
	apart   = 5 * time.Minute // several, among which there may be good ones. They are halved, so that this is not done often
)

func inAWhile(asked []string) time.Time {
	if len(setOf(asked)) > 1 {
		return time.Now().Add(apart)
	}
	return time.Now().Add(resting)
}

// atOnce is for what may have been well.
var atOnce = time.Time{}

// add returns t with elements that were taken back together.
func (t takenBack) add(asked []string, until time.Time) takenBack {
	return append(t.without(asked), refused{asked, until})
}

// without returns t less some elements. Those that were taken back together with them may be well without them.
func (t takenBack) without(asked []string) (left takenBack) {
	gone := setOf(asked)
	for _, r := range t {
		rest := slices.DeleteFunc(slices.Clone(r.Asked), func(a string) bool { return gone[a] })
		if len(rest) < len(r.Asked) {
			r = refused{rest, atOnce}
		}
		if len(rest) > 0 {
			left = append(left, r)
		}
	}
	return left
}

// holds reports whether any of these is among t.
func (t takenBack) holds(asked []string) bool {
	set := setOf(asked)
	return slices.ContainsFunc(t, func(r refused) bool { return slices.ContainsFunc(r.Asked, func(a string) bool { return set[a] }) })
}

// few names the first of many.
func few(all []string) string {
	const shown = 5
	if len(all) <= shown {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:shown], ", "), len(all)-shown)
}

// besides returns the elements that nobody asks for any more.
func (t takenBack) besides(changes []Change, asked []string) (others []string) {
	now := setOf(asked)
	for _, c := range changes {
		now[c.Asked] = true
	}
	for _, r := range t {
		others = append(others, slices.DeleteFunc(slices.Clone(r.Asked), func(a string) bool { return now[a] })...)
	}
	return others
}

func (g *Guard) backFile() string { return g.module + "-taken-back" }

func (g *Guard) takenBack() (t takenBack, err error) {
	_, err = g.machine.Load(g.backFile(), &t)
	return t, err
}

// noteBack notes when elements may be tried again.
func (g *Guard) noteBack(asked []string, until time.Time) error {
	t, err := g.takenBack()
	if err != nil {
		return err
	}
	return g.machine.Save(g.backFile(), t.add(asked, until))
}

// dropBack forgets elements that are well, or not wanted any more.
func (g *Guard) dropBack(asked []string) error {
	t, err := g.takenBack()
	if err != nil || len(t) == 0 {
		return err
	}
	return g.machine.Save(g.backFile(), t.without(asked))
}

func (g *Guard) forgetBack(asked []string) []frame.Step {
	if len(asked) == 0 {
		return nil
	}
	const text = "forget what was taken back and is not wanted any more"
	return []frame.Step{{Text: text, Of: text, Do: func(context.Context) error { return g.dropBack(asked) }}}
}
