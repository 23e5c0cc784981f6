package peers

import (
	"errors"
	"fmt"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
	"github.com/renci-nrig/comet-go/scope"
)

// maxElements is how many elements of one peer's entry are looked at. VMs have one.
const maxElements = 32

var (
	errTooLong = fmt.Errorf("value is longer than %d bytes", known.MaxValue)
	errTooMany = fmt.Errorf("has more than %d elements; those behind are not looked at", maxElements)
)

// each passes the elements of a peer's entry to take. What is wrong is left out, with one note for the entry; the
// others are taken all the same.
func each[E scope.Element](p known.Peer, family scope.Family, notes *[]frame.Note, take func(E) error) {
	if err := inEntry(p.Value, take); err != nil {
		about := "peer " + p.Key.String() + " in " + family.String()
		*notes = append(*notes, frame.Note{Kind: frame.LeftOut, About: frame.OneLine(about), Why: frame.OneLine(err.Error())})
	}
}

// inEntry passes the elements of a value to take, past what is wrong, and returns the first error.
func inEntry[E scope.Element](value []byte, take func(E) error) (first error) {
	if value == nil {
		return errTooLong
	}
	list, err := scope.ParseList(value)
	if err != nil {
		return err
	}
	for i := range min(list.Len(), maxElements) {
		e, err := scope.ElementAt[E](list, i)
		if err == nil {
			err = take(e)
		}
		if first == nil {
			first = err
		}
	}
	if first == nil && list.Len() > maxElements {
		first = errTooMany
	}
	return first
}

// group is one that the VM reads, in one of its contexts.
type group struct {
	in     *known.Context
	family scope.Family
}

// groups returns those that the VM reads in all its contexts.
func groups(contexts []*known.Context, familyOf func(string) (scope.Family, error), reads func(*known.Context) []string) (all []group) {
	for _, c := range contexts {
		for _, name := range reads(c) {
			if family, err := familyOf(name); err == nil {
				all = append(all, group{c, family})
			}
		}
	}
	return all
}

// answers asks what is known of each group, and notes what is in doubt or not heard yet. sure: what no group shows is gone. believed: no
// group is in doubt.
func answers(groups []group, notes *[]frame.Note, take func(group, known.Peer)) (sure, believed bool) {
	sure, believed = true, true
	for _, g := range groups {
		a := g.in.Group(g.family)
		if a.Doubt != nil {
			kind := frame.Doubted
			if errors.Is(a.Doubt, known.ErrUnheard) { // there is nothing yet that could be doubted
				kind = frame.Waiting
			}
			*notes = append(*notes, frame.Note{Kind: kind, About: g.family.String(), Why: frame.OneLine(a.Doubt.Error())})
		}
		believed = believed && a.Doubt == nil
		sure = sure && a.Doubt == nil && a.Settled
		for _, p := range a.Peers {
			take(g, p)
		}
	}
	return sure, believed
}

// turns changes whenever any of the contexts may have something new.
func turns(contexts []*known.Context) (sum int) {
	for _, c := range contexts {
		sum += c.Turn()
	}
	return sum
}
