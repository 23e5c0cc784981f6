package known

import (
	"cmp"
	"slices"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// Answer is what is known of a group.
type Answer struct {
	Peers   []Peer // the other VMs' entries as they were believed last, in the order of their keys
	Doubt   error  // why what heads say now is not believed, or that they say nothing; nil while all is well
	Settled bool   // what is not among Peers is gone; until then it may only be missing
}

// Peer is the entry of another VM.
type Peer struct {
	Key      scope.Key
	Value    []byte    // nil where it is longer than MaxValue
	Modified time.Time // zero where heads do not say
}

// Group returns what is known of a group's family.
func (c *Context) Group(family scope.Family) Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.families[at{c.slice, family}]
	if f == nil {
		return Answer{Doubt: ErrUnheard}
	}
	a := Answer{Doubt: c.because(f), Settled: f.missed.IsZero() && f.believed != nil}
	for key, e := range f.believed {
		if key != c.self.ReservationID {
			a.Peers = append(a.Peers, Peer{key, e.value, e.modified})
		}
	}
	slices.SortFunc(a.Peers, func(x, y Peer) int { return cmp.Compare(x.Key.String(), y.Key.String()) })
	return a
}

// because returns why a family is in doubt; nil stands for one that is not followed. Why nobody was heard Failing says.
func (c *Context) because(f *family) error {
	if f == nil || f.doubt == nil && f.said == nil {
		return ErrUnheard
	}
	return f.doubt
}

// Own returns the VM's own entry in a family, as heads say it is now: of a group, or of those that are for this VM alone, where it
// is the one believed last. known tells whether it is there.
func (c *Context) Own(family scope.Family) (value []byte, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if isGroup(family) {
		if f := c.families[at{c.slice, family}]; f != nil {
			e, ok := f.said[c.self.ReservationID]
			return e.value, ok
		}
		return nil, false
	}
	if f := c.families[at{c.unit, family}]; f != nil {
		e, ok := f.believed[c.self.ReservationID]
		return e.value, ok
	}
	return nil, false
}

// Unheard returns why nothing is known of what heads say of a group now, nil where it is known, believed or not.
func (c *Context) Unheard(family scope.Family) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.families[at{c.slice, family}]; f != nil && f.said != nil {
		return nil
	}
	return c.because(nil)
}

// Wrote notes what the VM itself has just written, so that it is not written again before heads tell of it.
func (c *Context) Wrote(family scope.Family, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.families[at{c.slice, family}]; f != nil && f.said != nil {
		f.said[c.self.ReservationID] = entry{value, time.Time{}}
	}
}
