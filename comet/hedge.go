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
	return c.hedge > 0 && len(heads) > 1 && (call.op == opRead || call.op == opList)
}

// race asks the first head and, where its answer is late, the second as well. It returns the first answer that settles the call and
// cancels the other request, or the last failure, and how many heads were asked.
func (c *Client) race(ctx context.Context, heads []*head, call call) (r result, asked int) {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result, 2)
	ask := func() {
		h := heads[asked]
		asked++
		running.Go(func() { results <- c.try(ctx, h, call, len(heads)) })
	}
	delay := c.hedge
	if late, known := c.latency.late(); known {
		delay = max(delay, late)
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	ask()
	for answered := 0; ; {
		select {
		case r = <-results:
			if answered++; r.verdict == settled || answered == asked {
				return r, asked
			}
		case <-timer.C:
			ask()
		}
	}
}
