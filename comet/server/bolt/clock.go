package bolt

import (
	"sync"
	"time"
)

// leap is by how much the time of day may go wrong against what has passed until it counts as set.
const leap = time.Minute

// clock tells the time of day, which somebody may set while the store is open, and notices that.
type clock struct {
	now     func() time.Time
	elapsed func() time.Duration

	mu    sync.Mutex
	began time.Time     // by the time of day, when the store was opened, or the clock was set last
	at    time.Duration // by what had elapsed
}

// moment is what a clock shows.
type moment struct {
	now    time.Time
	steady time.Duration // since the store was opened, or the clock was set last
}

func newClock(now func() time.Time, elapsed func() time.Duration) *clock {
	return &clock{now: now, elapsed: elapsed, began: now().Round(0), at: elapsed()}
}

// machineClock is that of the machine. What elapses is not touched where its time of day is set.
func machineClock() *clock {
	opened := time.Now()
	return newClock(time.Now, func() time.Duration { return time.Since(opened) })
}

func (c *clock) look() moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, at := c.now().Round(0), c.elapsed()
	if wrong := now.Sub(c.began) - (at - c.at); wrong.Abs() > leap {
		c.began, c.at = now, at
	}
	return moment{now, at - c.at}
}
