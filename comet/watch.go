package comet

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// Watch says what to follow: families of one context, seen with one read token or several.
type Watch struct {
	Context  scope.ContextID
	Families []scope.Family // at least one
	Read     []scope.Token  // 1 to 16

	// Every is how often heads are asked that do not offer to wait for changes, give or take a quarter; 10 s where it is zero.
	Every time.Duration

	// Pause, where not nil, says before each such question how long to wait instead of Every.
	Pause func() time.Duration

	// Failed is told why there is nothing to see, each time that one head after the other gave no answer; it may be nil.
	Failed func(error)

	// Heard is called after each answer, also where it tells nothing new; it may be nil.
	Heard func()
}

// Change is what happened since the one before.
type Change struct {
	Whole   bool      // Entries is all that there is: forget what was known before
	Entries []Watched // as they are now
	Removed []Watched // names alone: what is not there any more

	// Compared: the head did not tell of changes; they were found by comparing two lists. A list that is too short, for whatever
	// reason, then looks like removals.
	Compared bool
}

// Watched is an entry that somebody watches.
type Watched struct {
	Entry
	Token    int       // which of the tokens shows it, from 0
	Modified time.Time // zero where the head does not say
}

const (
	defaultEvery = 10 * time.Second
	watchWait    = time.Minute // how long a head holds a request in which nothing happens
	maxWatched   = 64          // families in one request; who names none gets all
	maxReads     = 16          // read tokens in one request
	early        = time.Second // an answer with nothing new in it does not come before, but from what is no head
)

// Watch follows entries until ctx ends, or until seen returns an error, which is then returned; at the end of ctx it returns nil. seen is
// called with the whole state first, and then with each change, one call at a time. Closing the client ends it with ErrClosed. A state that
// could not be followed to the next, such as that of a store that was restored, comes as a whole again.
//
// Heads that offer it are asked to wait until something changes, which is then here within about a tenth of a second; others are
// asked every now and then. The caller does not see a difference but for that. A request may go to any head of the store; one that
// goes away costs a new request to another, after a pause that grows and differs from client to client.
//
// A whole state with nothing in it is also what a wrong read token looks like.
func (c *Client) Watch(ctx context.Context, w Watch, seen func(Change) error) error {
	switch {
	case w.Context.IsZero() || len(w.Families) == 0 || len(w.Read) == 0:
		return invalid(opWatch, errors.New("context, families or read tokens are missing"))
	case len(w.Read) > maxReads:
		return invalid(opWatch, fmt.Errorf("more than %d read tokens", maxReads))
	}
	if w.Every <= 0 {
		w.Every = defaultEvery
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.background, cancel)()
	f := &follower{c: c, Watch: w}
	for ctx.Err() == nil {
		change, err := f.next(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			rest(ctx, f.failed(err))
		default:
			f.failures, f.said = 0, nil
			if f.Heard != nil {
				f.Heard()
			}
			if change.news() {
				if err := seen(change); err != nil {
					return err
				}
			}
		}
	}
	if c.isClosed() {
		return &Error{Op: opWatch, Entry: w.Context.String(), Err: ErrClosed}
	}
	return nil
}

// failed notes that a request came to nothing, and returns after how long the next may follow.
func (f *follower) failed(err error) time.Duration {
	said, ok := errors.AsType[*HeadsError](err)
	if !ok { // what one head, or something before it, makes of the request; it may do better later
		said = &HeadsError{Op: opWatch, Entry: f.Context.String()}
		one, _ := errors.AsType[*Error](err)
		said.add(one)
	}
	if f.said == nil {
		f.said = said
	}
	var wait time.Duration
	for _, h := range said.Heads {
		f.said.add(h)
		wait = max(wait, h.wait)
	}
	pause := watchPause(f.failures)
	f.failures++
	if f.failures < len(f.c.urls) {
		return pause // there are heads that have not been asked
	}
	if f.Failed != nil {
		said := *f.said // who is told may keep it
		said.Heads = slices.Clone(said.Heads)
		f.Failed(&said)
	}
	return max(pause, min(wait, f.c.restMax)+pause/4)
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	if !pause(ctx, d) {
		<-ctx.Done() // its time ends before
	}
}

// watchPause is drawn at random, since many clients lose a head together: from a second, and with more failures in a row from up to
// half a minute.
func watchPause(failures int) time.Duration {
	return rand.N(min(time.Second<<min(failures, 8), 30*time.Second))
}

// news reports whether there is something to tell.
func (c Change) news() bool { return c.Whole || len(c.Entries)+len(c.Removed) > 0 }

// follower is one watch under way.
type follower struct {
	c *Client
	Watch
	rev   string                 // up to where all is known; empty before the first answer
	known map[watchedName]digest // the values

	answers []digest // of a head that does not wait, by token, as known has them

	failures int         // in a row
	said     *HeadsError // what the heads said since the last answer
	hasty    int         // answers in a row that came too soon
}

type watchedName struct {
	token int
	name  scope.Name
}

// next waits for the next change, by whichever way the heads offer.
func (f *follower) next(ctx context.Context) (Change, error) {
	about, answered := f.c.about(ctx)
	if about.Offers(extensionWatch) || !answered && f.rev != "" { // while none answers, what is known stays known
		return f.wait(ctx)
	}
	return f.poll(ctx)
}

// wait asks a head to answer when something changes.
func (f *follower) wait(ctx context.Context) (Change, error) {
	if f.hasty > 0 {
		rest(ctx, watchPause(f.hasty-1))
	}
	start := time.Now()
	held := watchWait
	if f.failures > 0 { // that a head is there again is soon known
		held = early
	}
	if deadline, ok := ctx.Deadline(); ok {
		held = max(min(held, time.Until(deadline)), time.Millisecond).Truncate(time.Millisecond)
	}
	answer, _, err := f.c.do(ctx, call{
		op:     opWatch,
		method: http.MethodGet,
		path:   "/watchScope",
		name:   scope.Name{Context: f.Context},
		extra:  f.query(held),
		reads:  f.Read,
		needs:  extensionWatch,
		held:   held,
		parse:  func(value json.RawMessage) (any, *Error) { return f.parse(value) },
	})
	if err != nil {
		return Change{}, err
	}
	told := answer.parsed.(watched)
	first := f.rev == ""
	if again := told.Whole && !first; time.Since(start) < min(early, held/2) && (again || !first && !told.news()) {
		f.hasty++
	} else {
		f.hasty = 0
	}
	told.Whole = told.Whole || first
	f.rev = told.rev
	f.learn(told.Change)
	return told.Change, nil
}

func (f *follower) query(held time.Duration) url.Values {
	q := url.Values{"wait": {held.String()}}
	if len(f.Families) <= maxWatched {
		for _, family := range f.Families {
			q.Add("family", family.String())
		}
	}
	if f.rev != "" {
		q.Set("since", f.rev)
	}
	return q
}

// learn keeps what was seen, for heads that only give whole lists.
func (f *follower) learn(change Change) {
	f.answers = nil
	if change.Whole || f.known == nil {
		f.known = map[watchedName]digest{}
	}
	for _, e := range change.Entries {
		f.known[watchedName{e.Token, e.Name}] = sha256.Sum256(e.Value)
	}
	for _, e := range change.Removed {
		delete(f.known, watchedName{e.Token, e.Name})
	}
}
