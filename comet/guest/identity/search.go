package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"
)

// Search asks sources who the VM is.
type Search struct {
	Sources []Source // in the order in which they count
	// Before is what was found last time, if anything. Where a source does not answer that may know the VM's addresses, the same VM
	// keeps those from before.
	Before Identity

	First time.Duration // Wait's pause after the first failure, which doubles with each; 1 s where it is zero
	Most  time.Duration // the longest pause; 30 s where it is zero
	// Tell gets why a source does not say who the VM is, each reason once, while Wait goes on. It may be nil.
	Tell func(reason error)
}

// Find asks each source once, in order: the first with user data says who the VM is, and those after it are asked only for as long as no
// address is known. What is meant for us and broken (ErrBroken) ends the search: it is to be mended, not passed over. Where no source
// says who the VM is the error is a *NotFoundError.
func (s Search) Find(ctx context.Context) (Identity, error) {
	var a answers
	for _, source := range s.Sources {
		if a.enough() {
			break
		}
		seen, err := source.Look(ctx)
		if ctx.Err() != nil {
			return Identity{}, &NotFoundError{append(a.reasons, context.Cause(ctx))}
		}
		a.take(source.Name(), seen, err)
	}
	if !a.found {
		return Identity{}, &NotFoundError{a.reasons}
	}
	if a.failed && s.Before.InstanceID == a.self.InstanceID {
		a.add(s.Before)
	}
	a.self.Public, a.self.Private = a.public, a.private
	return a.self, nil
}

// answers are what the sources have said so far.
type answers struct {
	self            Identity
	public, private netip.Addr
	found           bool    // self is known
	broken, failed  bool    // a source has what must be mended; a source did not answer as it should
	reasons         []error // of the sources that do not say who the VM is
}

func (a *answers) take(source string, seen Identity, err error) {
	switch {
	case err != nil:
		a.reasons = append(a.reasons, fmt.Errorf("%s: %w", source, err))
		a.broken = a.broken || errors.Is(err, ErrBroken)
		a.failed = a.failed || !errors.Is(err, ErrAbsent)
	case !a.found:
		a.self, a.found = seen.named(), true
	}
	a.add(seen)
}

// add takes over the addresses that are not known yet.
func (a *answers) add(i Identity) {
	a.public, a.private = either(a.public, i.Public), either(a.private, i.Private)
}

// enough reports whether no more sources are to be asked.
func (a *answers) enough() bool {
	if a.found {
		return a.public.IsValid() || a.private.IsValid()
	}
	return a.broken
}

func either(known, also netip.Addr) netip.Addr {
	if known.IsValid() {
		return known
	}
	return also
}

// NotFoundError says why nobody says who the VM is.
type NotFoundError struct {
	Reasons []error // one for each source that was asked, which it names, in one line
}

func (e *NotFoundError) Error() string {
	if len(e.Reasons) == 0 {
		return "nobody is asked who this VM is"
	}
	var text []string
	for _, r := range e.Reasons {
		text = append(text, r.Error())
	}
	return "nobody says who this VM is: " + strings.Join(text, "; ")
}

// Unwrap returns the reasons.
func (e *NotFoundError) Unwrap() []error { return e.Reasons }

// Wait repeats Find until a source says who the VM is, with growing pauses, or until ctx ends.
func (s Search) Wait(ctx context.Context) (Identity, error) {
	told := map[string]bool{}
	for failures := 0; ; failures++ {
		self, err := s.Find(ctx)
		if err == nil || ctx.Err() != nil {
			return self, err
		}
		s.tell(err, told)
		select {
		case <-time.After(s.pause(failures)):
		case <-ctx.Done():
			return Identity{}, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

func (s Search) tell(err error, told map[string]bool) {
	e, ok := errors.AsType[*NotFoundError](err)
	if !ok || s.Tell == nil {
		return
	}
	for _, reason := range e.Reasons {
		if text := reason.Error(); !told[text] {
			told[text] = true
			s.Tell(reason)
		}
	}
}

// pause is longer after each failure. Up to a half is taken off, so that the VMs of a slice do not ask all at once.
func (s Search) pause(failures int) time.Duration {
	first, most := cmp.Or(s.First, time.Second), cmp.Or(s.Most, 30*time.Second)
	pause := min(first<<min(failures, 20), most)
	return pause - rand.N(pause/2+1)
}
