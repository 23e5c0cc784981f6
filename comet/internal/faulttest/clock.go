package faulttest

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Clock is the clock of a head's machine, which somebody sets while the head runs. Safe for concurrent use.
type Clock struct {
	began time.Time

	mu     sync.Mutex
	wrong  time.Duration // what it shows beyond the true time
	passed time.Duration // true time that nobody waited for
}

// NewClock returns a clock that is right.
func NewClock() *Clock { return &Clock{began: time.Now()} }

// Now is the time of day that it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.passed + c.wrong)
}

// Elapsed is for how long it has gone, however it was set.
func (c *Clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.began) + c.passed
}

// Expiry is one with which nothing may age out in a schedule, whatever the clock shows.
const Expiry = 100 * time.Hour

// set sets it wrong, after some time in which stores give everything another chance because they have just begun.
func (c *Clock) set(wrong time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed += time.Hour + time.Minute
	c.wrong = wrong
}

func (c *Clock) right() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = 0
}

// Faults are that it is set ahead by more hours than anything may be left alone, or back.
func (c *Clock) Faults(random *rand.Rand) []Fault {
	ahead := func() { c.set(2*Expiry + upTo(random, 2*Expiry)) }
	back := func() { c.set(-upTo(random, Expiry)) }
	return []Fault{
		{Name: "has its clock set ahead", Strike: ahead, Mend: c.right},
		{Name: "has its clock set back", Strike: back, Mend: c.right},
	}
}
