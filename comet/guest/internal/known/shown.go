package known

import (
	"fmt"
	"maps"
	"slices"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

// Shown reports whether a head has ever shown something of the context that could be believed: the VM's own entry, or, where it only
// reads, another's. Until then somebody may have mistaken the slice, the key or the tokens.
func (c *Context) Shown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.families {
		if f.believed != nil {
			return true
		}
	}
	return false
}

// Invisible is an error that matches comet.ErrNotFound where heads answer and show nothing of this VM now: not its own entry or, where it
// only reads, nobody's. Heads do not tell what is wrong then. A VM that is in no group may have no entry.
func (c *Context) Invisible() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	heard := false
	for where, f := range c.families {
		if c.shows(where, f) {
			return nil
		}
		heard = heard || isGroup(where.family) && f.said != nil
	}
	if !heard {
		return nil
	}
	return &invisible{c.self.SliceID.String(), c.self.ReservationID.String()}
}

// shows reports whether heads show something now that they show for the right token alone: the VM's own entry, or, where it only reads,
// another's.
func (c *Context) shows(where at, f *family) bool {
	_, own := f.said[c.self.ReservationID]
	writes := func(where at) bool { return c.writes(where.family) }
	return own || isGroup(where.family) && len(f.said) > 0 && !slices.ContainsFunc(slices.Collect(maps.Keys(c.families)), writes)
}

// Unshown is an error that matches comet.ErrNotFound where heads answer and show nothing at all under the read token that shows this
// family: neither it nor another one. It may not be there yet, or the token is wrong; heads do not tell which.
func (c *Context) Unshown(family scope.Family) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	token := c.slice
	if !isGroup(family) {
		token = c.unit
	}
	heard := false
	for where, f := range c.families {
		if where.token != token {
			continue
		}
		if c.shows(where, f) {
			return nil
		}
		heard = heard || f.said != nil
	}
	if !heard {
		return nil
	}
	return unshown{}
}

type unshown struct{}

func (unshown) Error() string {
	return "nothing is shown under this read token: not there, or the token is wrong"
}

func (unshown) Unwrap() error { return comet.ErrNotFound }

type invisible struct{ slice, key string }

func (i *invisible) Error() string {
	return fmt.Sprintf("slice %s shows no entry of key %s: wrong key, group or read token, or the slice was deleted", i.slice, i.key)
}

func (*invisible) Unwrap() error { return comet.ErrNotFound }
