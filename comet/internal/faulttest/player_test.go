package faulttest_test

import (
	"math/rand/v2"
	"time"

	"github.com/renci-nrig/comet-go/comet/internal/history"
)

// player makes single attempts at heads, of every kind that there is, and remembers what it saw for conditions.
type player struct {
	id     int
	board  *board
	wire   *wire
	heads  []string
	random *rand.Rand
	known  map[place]history.Seen
}

// place is an entry, or with key whole all of a group, of which the revision of the last change is known.
type place struct{ group, key int }

const whole = -1

func (p *player) play() {
	g := p.board.pick(p.random)
	head := p.heads[p.random.IntN(len(p.heads))]
	called := time.Now()
	var in history.Input
	var out history.Output
	var ok bool
	switch kind := p.random.IntN(100); {
	case kind < 18:
		key := p.random.IntN(history.Keys)
		in.Keys = []int{key}
		out, ok = p.wire.read(head, g, key, p.maybe(place{g.index, key}))
	case kind < 30:
		in.Keys, out, ok = p.wire.list(head, g, p.maybe(place{g.index, whole}).Revision)
	default:
		in.Changes = p.changes(g, kind)
		out, ok = p.wire.change(head, g, in.Changes)
	}
	if ok {
		p.board.add(p.id, g, in, out, called, time.Now())
		p.learn(g, in, out)
	}
	if !ok || out.Outcome == history.Unknown {
		<-time.After(rand.N(30 * time.Millisecond)) // as who does not hammer at what is ill
	}
}

// upTo is at random.
func upTo(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(d)))
}

// maybe is what is known of a place, or often nothing.
func (p *player) maybe(at place) history.Seen {
	if p.random.IntN(2) == 0 {
		return history.Seen{}
	}
	return p.known[at]
}

// changes draws what to do: single changes, and batches of writes or of removals.
func (p *player) changes(g *group, kind int) []history.Change {
	keys, remove := p.random.Perm(history.Keys)[:1], kind >= 85
	if kind%4 == 0 {
		keys = p.random.Perm(history.Keys)[:2+p.random.IntN(history.Keys-1)]
	}
	changes := make([]history.Change, len(keys))
	for i, k := range keys {
		c := history.Change{Key: k}
		if !remove {
			c.Value = p.board.value()
		}
		switch p.random.IntN(5) {
		case 0:
			c.IfAbsent = !remove
		case 1, 2:
			c.IfRevision = p.known[place{g.index, k}].Revision
		}
		changes[i] = c
	}
	return changes
}

// learn remembers what was told.
func (p *player) learn(g *group, in history.Input, out history.Output) {
	if out.Outcome != history.Done {
		return
	}
	for i, k := range in.Keys {
		p.known[place{g.index, k}] = out.Seen[i]
	}
	if out.Changed != 0 {
		p.known[place{g.index, whole}] = history.Seen{Revision: out.Changed}
	}
	for i, c := range in.Changes {
		at := place{g.index, c.Key}
		if delete(p.known, at); c.Value != "" {
			p.known[at] = history.Seen{Value: c.Value, Revision: out.Seen[i].Revision}
		}
	}
}
