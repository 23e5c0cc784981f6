package known

import (
	"fmt"

	"github.com/renci-nrig/comet-go/comet"
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
	heard, writes := false, false
	for where := range c.families {
		writes = writes || c.writes(where.family)
	}
	for where, f := range c.families {
		_, own := f.said[c.self.ReservationID]
		if own || !writes && isGroup(where.family) && len(f.said) > 0 {
			return nil
		}
		heard = heard || isGroup(where.family) && f.said != nil
	}
	if !heard {
		return nil
	}
	return &invisible{c.self.SliceID.String(), c.self.ReservationID.String()}
}

type invisible struct{ slice, key string }

func (i *invisible) Error() string {
	return fmt.Sprintf("slice %s shows no entry of key %s: wrong key, wrong read token, or the slice was deleted", i.slice, i.key)
}

func (*invisible) Unwrap() error { return comet.ErrNotFound }
