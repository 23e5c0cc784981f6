package frame

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Module keeps one part of the machine as it is wanted. The Runner calls it from one goroutine at a time.
type Module interface {
	// Name is what the module is called in settings, in status and in metrics: one word in lower case.
	Name() string

	// Plan looks and returns what has to be done; it changes nothing but what it remembers of looking. With an error, the plan
	// holds what could be planned all the same.
	Plan(ctx context.Context) (Plan, error)
}

// Busy is a module whose steps begin something that goes on after them: scripts, the making of a file system. When it ends, the module
// calls Machine.Wake, so that what comes next is planned.
type Busy interface {
	Module

	// Wait returns when nothing is under way any more, or when ctx ends, with its error.
	Wait(ctx context.Context) error
}

// Withdrawer is a module that takes back what it has made once it is switched off.
type Withdrawer interface {
	Module

	// Withdraw is Plan for a module that is off. It must cost next to nothing where there is nothing to take back.
	Withdraw(ctx context.Context) (Plan, error)
}

// Plan is what a module would do, and what it has to say.
type Plan struct {
	Steps []Step    // in the order in which they are made; when one fails, those behind it that are of the same, or all where it is of nobody, are not made
	Count int       // how many hosts, keys, users… are in place once the steps are made
	Later int       // how many of Count only the steps put in place
	Notes []Note    // what is left out, doubted or waited for
	More  bool      // what has to be done after these steps is only known when they are made; the Runner then asks again
	Retry time.Time // when what Plan failed at may succeed, where that is known and not at the next pass
}

// Merge adds another plan's steps, notes and count behind those of p.
func (p *Plan) Merge(other Plan) {
	p.Steps = append(p.Steps, other.Steps...)
	p.Notes = append(p.Notes, other.Notes...)
	p.Count += other.Count
	p.Later += other.Later
	p.More = p.More || other.More
	p.Retry = sooner(p.Retry, other.Retry)
}

// sooner returns the earlier of two times; the zero time is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Note is something that people should know, and that is not an error of the module.
type Note struct {
	Kind  NoteKind `json:"kind"`
	About string   `json:"about"` // the peer, entry, element or file
	Why   string   `json:"why"`   // one line without secrets
}

// NoteKind says what a note means.
type NoteKind string

const (
	LeftOut NoteKind = "left out" // wrong or hostile input, which is not applied
	Doubted NoteKind = "doubted"  // an answer that is not believed; what was there stays
	Waiting NoteKind = "waiting"  // cannot be done yet
	Warning NoteKind = "warning"  // done or left, but somebody should look
	Failed  NoteKind = "failed"   // was tried, has failed, and is not tried again
	NotHere NoteKind = "not here" // acts on the machine itself, which a root folder keeps the guest from
)

// Held is what a module says that would take something back, were it certain that it is not among what these notes say is left out.
func Held(module string, notes []Note) Note {
	why := "what nobody asks for any more stays as long as not all is known that is wanted"
	if i := slices.IndexFunc(notes, func(n Note) bool { return n.Kind == LeftOut }); i >= 0 {
		why = "what nobody asks for any more stays as long as it may be what is left out: " + notes[i].About
	}
	return Note{Kind: Warning, About: module, Why: why}
}

// Wanted is what is asked of a module, element by element.
type Wanted[E any] struct {
	Elements []E
	Whole    bool   // nothing was left out: what is not among Elements is not wanted any more, and may be withdrawn
	Notes    []Note // on elements that were left out; the others are taken at their word all the same
}

// Source returns what is wanted as far as it is known now; it asks nobody. Where nothing is known, the error matches ErrUnknown.
type Source[E any] func() (Wanted[E], error)

// ErrUnknown says that nobody has told yet what is wanted. Nothing is then changed.
var ErrUnknown = errors.New("not known yet")

// ErrNeedsRoot says that a module acts on the machine itself, which a root folder other than / keeps it from.
var ErrNeedsRoot = errors.New("needs /")
