package known

import (
	"context"
	"errors"
	"time"

	"github.com/renci-nrig/comet-go/comet"
)

// confirm asks for a second answer where something is missing that no head told to be removed.
func (c *Context) confirm(ctx context.Context) {
	ticks := time.NewTicker(c.Every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			if c.Unsettled() {
				_ = c.Ask(ctx) // a failure is noted, and time will come again
			}
		}
	}
}

// Ask asks a head for all that there is.
func (c *Context) Ask(ctx context.Context) error {
	const most = 3 // where something changes all the time, what heads tell of it is enough
	for range most {
		before := c.heardSoFar()
		change, err := c.client.Snapshot(ctx, c.watch)
		if err != nil {
			if !errors.Is(ctx.Err(), context.Canceled) { // being ended is no failure of heads
				c.failing(err)
			}
			return err
		}
		if c.takeUnless(before, change) {
			break
		}
	}
	return nil
}

// heardSoFar counts what heads have said.
func (c *Context) heardSoFar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answers
}

// takeUnless takes an answer unless another one came since that question: nobody knows which of them is older, and what heads have
// told once they do not tell again.
func (c *Context) takeUnless(before int, change comet.Change) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers != before {
		return false
	}
	c.note(change)
	return true
}
