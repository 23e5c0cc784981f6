package known

import (
	"time"

	"github.com/renci-nrig/comet-go/comet"
)

// Take hears what a head says.
func (c *Context) Take(change comet.Change) { c.take(change) }

// PauseNow is how long a head that does not tell would be left alone.
func (c *Context) PauseNow() time.Duration { return c.pause() }
