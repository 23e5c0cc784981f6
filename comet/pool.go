package comet

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// pool knows how the heads are: in which order this client prefers them, which are well, which rest and until when, and what each
// said about itself. It does no I/O. Safe for concurrent use.
type pool struct {
	restMin, restMax time.Duration

	mu    sync.Mutex
	heads []*head // in this client's own random order
}

// head is one head as the pool sees it. The pool's lock guards all but url.
type head struct {
	url      string
	failures int       // in a row, of calls
	lost     int       // calls in a row that another head settled in its place
	rests    time.Time // until when; zero while it is well
	probing  bool
	trying   bool          // a call is the first since a probe found the head again
	asking   chan struct{} // holds a token while nobody asks the head about itself
	about    *about
	store    *string // the identity of its store, remembered while it rests; nil while it was never accepted
}

// about is what a head said about itself, and when.
type about struct {
	Version
	learned time.Time
}

// How long a head is believed about itself: heads are upgraded, and restored from backups. An answer that says nothing of the head
// is most likely a proxy's, for a moment.
const (
	aboutAge   = 10 * time.Minute
	unknownAge = 10 * time.Second
)

func newPool(urls []string, restMin, restMax time.Duration) *pool {
	p := &pool{restMin: restMin, restMax: restMax}
	for _, u := range urls {
		h := &head{url: u, asking: make(chan struct{}, 1)}
		h.asking <- struct{}{}
		p.heads = append(p.heads, h)
	}
	rand.Shuffle(len(p.heads), func(i, j int) { p.heads[i], p.heads[j] = p.heads[j], p.heads[i] })
	return p
}

// order returns the heads that a call may try, best first: those that are well in the client's order, then those that rest, the
// one whose rest ends first before the others.
//
// A head that a probe found again has not proved itself: getVersion needs no store. One call at a time may try it first.
func (p *pool) order(without map[*head]bool) []*head {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.DeleteFunc(p.sorted(), func(h *head) bool { return without[h] })
	if len(list) > 0 && list[0].onTrial() {
		list[0].trying = true
	}
	return list
}

// all returns the heads in the same order, for questions that try none.
func (p *pool) all() []*head {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sorted()
}

func (p *pool) sorted() []*head {
	list := slices.Clone(p.heads)
	slices.SortStableFunc(list, func(a, b *head) int {
		return cmp.Or(a.rests.Compare(b.rests), compare(a.trying, b.trying))
	})
	return list
}

func (h *head) onTrial() bool { return h.rests.IsZero() && h.failures > 0 }

func compare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// tried notes that a call that may have been the first of a head on trial is over and says nothing of it.
func (p *pool) tried(h *head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.trying = false
}

// toProbe returns the resting heads whose time has come and marks them as being probed. While no head is well there is none: the
// calls themselves try them then.
func (p *pool) toProbe(now time.Time) []*head {
	p.mu.Lock()
	defer p.mu.Unlock()
	var due []*head
	anyWell := false
	for _, h := range p.heads {
		well := h.rests.IsZero()
		anyWell = anyWell || well
		if !well && !h.probing && now.After(h.rests) {
			due = append(due, h)
		}
	}
	if !anyWell {
		return nil
	}
	for _, h := range due {
		h.probing = true
	}
	return due
}

func (p *pool) probed(h *head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.probing = false
}

// works notes that a head settled a call. It reports whether the head had been ill.
func (p *pool) works(h *head) (back bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	back = h.failures > 0
	h.failures, h.lost, h.rests, h.trying = 0, 0, time.Time{}, false
	return back
}

// returns notes that a probe found a head again: its rest is over, and the next failure lets it rest for longer than the last. It
// reports whether the head had been resting.
func (p *pool) returns(h *head) (back bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	back = !h.rests.IsZero()
	h.lost, h.rests, h.trying = 0, time.Time{}, false
	return back
}

// fails sends a head to rest: the longer, the more often it failed in a row. It reports whether the head had been well.
func (p *pool) fails(h *head, now time.Time) (left bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left = h.rests.IsZero()
	h.about, h.trying = nil, false // it may come back as another version, or on another store
	if !left && now.Before(h.rests) {
		return false // many calls were under way when it fell: that is one failure
	}
	rest := min(p.restMin<<min(h.failures, 16), p.restMax)
	h.failures++
	h.rests = now.Add(rest - rand.N(rest/2+1))
	return left
}

// busy lets a head rest that asks for it: not for longer than any other rest, since no head may stop its clients for a day.
func (p *pool) busy(h *head, now time.Time, rest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.rests, h.trying = now.Add(min(rest, p.restMax)), false
}

// knows returns what the head said about itself, where that is known and fresh.
func (p *pool) knows(h *head, now time.Time) (Version, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	age := aboutAge
	if h.about != nil && !h.about.saysWhatItIs() {
		age = unknownAge
	}
	if h.about == nil || now.Sub(h.about.learned) > age {
		return Version{}, false
	}
	return h.about.Version, true
}

// learns notes what a head says about itself. It returns false where another head serves another store: this one must not be used.
// A head that shows another store than it did before was restored, and with it, as far as they are away, the others that showed the
// store of before.
func (p *pool) learns(h *head, v Version, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !v.saysWhatItIs() {
		h.about = &about{Version: v, learned: now}
		return true
	}
	if h.store != nil && *h.store != v.Store {
		p.forget(*h.store)
	}
	stranger := slices.ContainsFunc(p.heads, func(other *head) bool {
		return other != h && other.store != nil && *other.store != v.Store
	})
	if stranger {
		h.about, h.store = nil, nil
		return false
	}
	h.about, h.store = &about{Version: v, learned: now}, &v.Store
	return true
}

// forget lets go of what resting heads said of their store. The lock is held.
func (p *pool) forget(store string) {
	for _, h := range p.heads {
		if h.store != nil && *h.store == store && !h.rests.IsZero() {
			h.store = nil
		}
	}
}

// loses notes that a head was late and another one answered in its place. It reports whether that happened so often in a row that
// the head must be ill.
func (p *pool) loses(h *head) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.lost++
	return h.lost >= maxLost
}

const maxLost = 3

// well reports whether a head is not resting.
func (p *pool) well(h *head) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return h.rests.IsZero()
}
