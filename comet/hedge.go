package comet

import (
	"context"
	"slices"
	"sync"
	"time"
)

// latency remembers how long the last answers took, to know when one is late. Safe for concurrent use.
type latency struct {
	mu   sync.Mutex
	last [latencySamples]time.Duration
	n    int
}

const (
	latencySamples = 64
	latencyEnough  = 8 // below that nothing is known yet
)

func (l *latency) note(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last[l.n%latencySamples] = d
	l.n++
}

// late is after how long an answer is later than nineteen in twenty of the last ones; false while too few are known.
func (l *latency) late() (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n < latencyEnough {
		return 0, false
	}
	seen := slices.Sorted(slices.Values(l.last[:min(l.n, latencySamples)]))
	return seen[len(seen)*19/20], true
}

// hedged reports whether a call may be sent to a second head while the first has it: reads alone, and only where that was asked for.
func (c *Client) hedged(call call, heads []*head) bool {
	return c.hedge > 0 && len(heads) > 1 && call.hedgeable() && c.pool.well(heads[1])
}

// hedgeable reports whether a call changes nothing and is answered at once.
func (c call) hedgeable() bool { return c.op == opRead || c.op == opList }

// race asks the first head and, where its answer is late, the second as well. It returns the first answer that settles the call, or
// the last failure, and what came of the other request, if there was one: it is cancelled where the call is settled without it. A
// head that is late time and again is ill.
func (c *Client) race(ctx context.Context, heads []*head, call call) (r result, others []result) {
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan raced, 2)
	asked := 0
	ask := func() {
		i := asked
		asked++
		go func() { results <- raced{i, c.try(ctx, heads[i], call, len(heads))} }()
	}
	delay := c.hedge
	if late, known := c.latency.late(); known {
		delay = max(delay, late)
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	ask()
	var got []raced
	for len(got) < asked && (len(got) == 0 || got[len(got)-1].verdict != settled) {
		select {
		case one := <-results:
			got = append(got, one)
		case <-timer.C:
			ask()
		}
	}
	cancel()
	won := got[len(got)-1]
	if won.head == 1 && len(got) == 1 {
		c.lose(call, heads[:1])
	}
	for len(got) < asked { // cancelled, it ends at once
		got = append(got, <-results)
	}
	for _, one := range got {
		if one.head != won.head {
			others = append(others, one.result)
		}
	}
	return won.result, others
}

// raced is what came of one request of a race.
type raced struct {
	head int
	result
}
