package known

import (
	"cmp"
	"slices"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

// Take hears what a head says.
func (c *Context) Take(change comet.Change) { c.take(change) }

// PauseNow is how long a head that does not tell would be left alone.
func (c *Context) PauseNow() time.Duration { return c.pause() }

// Doubts returns what is in doubt now, by family, in order.
func (c *Context) Doubts() (families []scope.Family, why []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for where, f := range c.families {
		if where.token == c.slice && isGroup(where.family) && c.because(f) != nil {
			families = append(families, where.family)
		}
	}
	slices.SortFunc(families, func(a, b scope.Family) int { return cmp.Compare(a.String(), b.String()) })
	for _, name := range families {
		why = append(why, c.because(c.families[at{c.slice, name}]))
	}
	return families, why
}
