package comet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What callers branch on, with errors.Is.
var (
	// ErrNotFound: the entry is not there, or the read token is wrong. Heads do not tell which.
	ErrNotFound = errors.New("not there, or the read token is wrong")
	// ErrUnauthorized: the write token or the client certificate was refused, or no head could be trusted.
	ErrUnauthorized = errors.New("refused")
	// ErrConflict: somebody else changed the entry first, or its state does not allow the change.
	ErrConflict = errors.New("changed by somebody else")
	// ErrExists: Create found an entry. It comes together with ErrConflict.
	ErrExists = errors.New("there already")
	// ErrUnavailable: no head gave an answer.
	ErrUnavailable = errors.New("no head available")
	// ErrClosed: the client was closed before.
	ErrClosed = errors.New("the client is closed")
	// ErrInvalid: the request makes no sense: a name, a token, a value.
	ErrInvalid = errors.New("invalid request")
)

// Error is what one head made of one call. It matches the sentinel of its kind with errors.Is, where there is one.
type Error struct {
	Op      string // "read", "list", "write", "delete" or "version"
	Entry   string // what it was about: context/family/key, or as much of it as the operation has
	Head    string // the head's base URL; empty where no head was asked
	Status  int    // HTTP status; 0 where there was no answer
	Message string // what the head said, on one line, without secrets
	Kind    error  // one of the sentinels, or nil
	Err     error  // what failed below, where there was no answer

	wait time.Duration // for how long the head asks to be left alone
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("comet: " + e.Op)
	if e.Entry != "" {
		b.WriteString(" " + e.Entry)
	}
	if e.Head != "" {
		b.WriteString(": " + e.Head)
	}
	b.WriteString(": " + e.reason())
	return b.String()
}

// reason is the error without operation and head.
func (e *Error) reason() string {
	switch {
	case e.Err != nil:
		return e.Err.Error()
	case e.Message != "" && e.Status != 0 && e.Status != 200:
		return fmt.Sprintf("%s (HTTP %d)", e.Message, e.Status)
	case e.Message != "":
		return e.Message
	case e.Status != 0 && e.Status != 200:
		return fmt.Sprintf("HTTP %d without a message", e.Status)
	case e.Kind != nil:
		return e.Kind.Error()
	}
	return "failed"
}

// Unwrap gives the sentinel and what failed below.
func (e *Error) Unwrap() []error { return present(e.Kind, e.Err) }

// HeadsError is what every head said when none gave an answer, in the order in which they were asked; of a head that was asked
// several times the last. It matches ErrUnauthorized where trust failed at every head, else ErrUnavailable, and the errors below
// its parts, the caller's own context error among them.
type HeadsError struct {
	Op    string
	Entry string
	Heads []*Error
	Cause error // the caller's own context error, where that ended the call

	// MayHaveArrived says that some head may have carried the call out, or may be about to.
	MayHaveArrived bool
}

// MayHaveArrived reports whether a write or removal that failed with err may have been carried out all the same.
func MayHaveArrived(err error) bool {
	all, ok := errors.AsType[*HeadsError](err)
	return ok && all.MayHaveArrived && (all.Op == opWrite || all.Op == opDelete)
}

func (e *HeadsError) Error() string {
	said := make([]string, len(e.Heads))
	for i, h := range e.Heads {
		said[i] = h.Head + ": " + h.reason()
	}
	text := "comet: " + strings.TrimSpace(e.Op+" "+e.Entry) + ": " + e.summary()
	if e.Cause != nil {
		text += " in time (" + e.Cause.Error() + ")"
	}
	if len(said) == 0 {
		return text
	}
	return text + ": " + strings.Join(said, "; ")
}

func (e *HeadsError) summary() string {
	answers, later := 0, 0
	for _, h := range e.Heads {
		switch h.Status {
		case 0:
			continue
		case http.StatusTooManyRequests:
			later++
		}
		answers++
	}
	switch {
	case answers == 0:
		return "no head answered"
	case later == len(e.Heads):
		return "every head asks to come again later"
	}
	return "no head could do it"
}

// Unwrap gives the kind of the failure, the caller's context error, and what each head said.
func (e *HeadsError) Unwrap() []error {
	all := present(e.kind(), e.Cause)
	for _, h := range e.Heads {
		all = append(all, present(h.Err)...)
	}
	return all
}

func (e *HeadsError) kind() error {
	for _, h := range e.Heads {
		if h.Kind != ErrUnauthorized {
			return ErrUnavailable
		}
	}
	if len(e.Heads) == 0 {
		return ErrUnavailable
	}
	return ErrUnauthorized
}

// add notes what a head said, in place of what it said before.
func (e *HeadsError) add(said *Error) {
	if said == nil {
		return
	}
	for i, h := range e.Heads {
		if h.Head == said.Head {
			e.Heads[i] = said
			return
		}
	}
	e.Heads = append(e.Heads, said)
}

// invalid is an error about the call itself, before any head is asked.
func invalid(op string, err error) error {
	return &Error{Op: op, Kind: ErrInvalid, Err: err}
}

// unanswered completes what the heads said of a call that none settled.
func unanswered(ctx context.Context, tried *HeadsError, out outcome) error {
	tried.Cause = context.Cause(ctx)
	tried.MayHaveArrived = out.mayHaveArrived
	return tried
}

func present(errs ...error) []error {
	var list []error
	for _, err := range errs {
		if err != nil {
			list = append(list, err)
		}
	}
	return list
}
