package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// watchValue is what watchScope answers with. The call is GET /watchScope?contextID=…&family=…&since=REV&wait=60s: family may be
// there many times, or not at all for all families; the read tokens stand in the header Comet-Read-Token, which may be there many
// times.
//
// Where something changed since REV it is answered soon, after further changes had a moment to join; else when something changes,
// or with nothing once the wait is over. Without since, or with one that the store does not know (any more), it is answered at once
// with the whole state.
type watchValue struct {
	ContextID string          `json:"contextId"`
	Rev       string          `json:"rev"`      // the since of the next call, at whatever head of the store; compare for equality alone
	Whole     bool            `json:"whole"`    // this is everything there is: what is not here is not there
	Families  []watchedFamily `json:"families"` // where something changed, in the order of the tokens
}

// watchedFamily is what changed in one family under one token.
type watchedFamily struct {
	Family  string         `json:"family"`
	Token   int            `json:"token"`             // which of the request's tokens shows it, from 0
	Entries []watchedEntry `json:"entries,omitempty"` // as they are now, ordered by key
	Removed []string       `json:"removed,omitempty"` // keys of what is not there any more, and maybe never was for this client
}

type watchedEntry struct {
	Key   string `json:"key"`
	Value string `json:"value"`

	// When it was changed, RFC 3339 in UTC, to the second. Left out where it is that of the entry before it in the family: entries
	// that changed together would tell it a thousand times.
	Modified string `json:"modified,omitempty"`
}

func (h *Head) watch(w http.ResponseWriter, v *visit) (any, error) {
	ask, err := h.parseWatch(v)
	if err != nil {
		return nil, err
	}
	ctx, leave := context.WithCancel(v.Context())
	defer leave() // gives back what the store keeps for this watch
	var seen sight
	if ask.since == everything {
		seen, err = h.look(ctx, ask)
	} else {
		seen, err = h.hold(ctx, w, v, ask)
	}
	if errors.Is(err, errDismissed) || errors.Is(err, ErrClosed) {
		// Not all at the same time, where there is no other head.
		w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(maxRetryAfter)))
		err = errDismissed
	}
	if err != nil {
		return nil, err
	}
	return watchValue{ask.id.String(), h.rev(seen.revision()), seen.whole(), seen.families()}, nil
}

// hold waits in a place of the client's.
func (h *Head) hold(ctx context.Context, w http.ResponseWriter, v *visit, ask watchAsk) (sight, error) {
	at, err := h.place(w, v)
	if err != nil {
		return nil, err
	}
	defer h.waiting.leave(at)
	extendDeadlines(w, v.Request, ask.wait)
	seen, err := h.await(ctx, ask, at)
	if errors.Is(err, errShed) {
		return nil, h.noPlace(w, v)
	}
	return seen, err
}

// sight is what changed, under each of a watch's tokens.
type sight []Changes

// look asks the store what changed. Where it does not know that for one token, it gives the whole state for all.
func (h *Head) look(ctx context.Context, ask watchAsk) (sight, error) {
	seen := make(sight, len(ask.tokens))
	for i, token := range ask.tokens {
		var err error
		if seen[i], err = h.store.Since(ctx, ask.id, token, ask.since, ask.families...); err != nil {
			return nil, err
		}
		if seen[i].Whole && ask.since != everything {
			ask.since = everything
			return h.look(ctx, ask)
		}
	}
	return seen, nil
}

func (s sight) whole() bool { return s[0].Whole }

// news reports whether there is something to tell.
func (s sight) news() bool {
	for _, c := range s {
		if c.Whole || len(c.Entries) > 0 || len(c.Removed) > 0 {
			return true
		}
	}
	return false
}

// empty reports whether none of the tokens shows anything.
func (s sight) empty() bool {
	for _, c := range s {
		if !c.Empty {
			return false
		}
	}
	return true
}

// revision is up to where all of it is complete. The tokens were looked at one after the other.
func (s sight) revision() uint64 {
	least := s[0].Revision
	for _, c := range s[1:] {
		least = min(least, c.Revision)
	}
	return least
}

func (s sight) families() []watchedFamily {
	all := []watchedFamily{}
	for token, c := range s {
		index := map[scope.Family]int{}
		in := func(f scope.Family) *watchedFamily {
			i, known := index[f]
			if !known {
				i = len(all)
				index[f] = i
				all = append(all, watchedFamily{Family: f.String(), Token: token})
			}
			return &all[i]
		}
		var family scope.Family
		var before string
		for _, e := range c.Entries {
			modified := e.Modified.UTC().Format(time.RFC3339)
			shown := watchedEntry{e.Name.Key.String(), e.Value, modified}
			if e.Name.Family == family && modified == before {
				shown.Modified = ""
			}
			family, before = e.Name.Family, modified
			f := in(family)
			f.Entries = append(f.Entries, shown)
		}
		for _, n := range c.Removed {
			f := in(n.Family)
			f.Removed = append(f.Removed, n.Key.String())
		}
	}
	return all
}
