package known

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

// MaxValue is the longest value that is kept of hosts and pubkeys: one VM cannot stop a group by being large.
const MaxValue = 64 << 10

// entry is what somebody wrote.
type entry struct {
	value    []byte // nil where it is too long
	modified time.Time
}

// family is what is known of a family.
type family struct {
	said     map[scope.Key]entry // what heads say now; nil before the first answer
	believed map[scope.Key]entry // what of it was believed last; nil before anything was
	doubt    error               // why what they say now is not believed
	missed   time.Time           // since when something is missing that no head told to be removed; zero: nothing is
}

func (f *family) say(e comet.Watched) {
	if f.said == nil {
		f.said = map[scope.Key]entry{}
	}
	value := e.Value
	if len(value) > MaxValue && isGroup(e.Name.Family) {
		value = nil
	}
	f.said[e.Name.Key] = entry{value, e.Modified}
}

// believe takes over what heads say unless it is doubted, and reports whether there is something new in it. told: the head told of
// changes itself. What is missing otherwise is gone when it is still missing after some time.
func (f *family) believe(doubt error, told bool, now time.Time, after time.Duration) (news bool) {
	if f.doubt = doubt; doubt != nil || f.said == nil {
		return false
	}
	before := f.missed
	switch {
	case !told && (f.misses() || now.Before(f.missed)): // or the clock was set back since an earlier guest missed it
		f.missed = now
	case !told && !f.missed.IsZero() && now.Sub(f.missed) >= after:
		f.missed = time.Time{}
	}
	news = before != f.missed || f.believed == nil || !maps.EqualFunc(f.said, f.believed, func(a, b entry) bool { return string(a.value) == string(b.value) })
	f.believed = maps.Clone(f.said)
	return news
}

// misses reports whether something that was believed is not said any more. Nobody knows what there was before the first answer, on the
// machine's disk for instance; it may miss something.
func (f *family) misses() bool {
	if f.believed == nil {
		return true
	}
	for key := range f.believed {
		if _, there := f.said[key]; !there {
			return true
		}
	}
	return false
}

// waits reports whether a member has not filled in its place-holder.
func (f *family) waits() bool {
	for _, e := range f.said {
		if strings.Contains(string(e.value), `\"ip\":\"\"`) || strings.Contains(string(e.value), `\"publicKey\":\"\"`) {
			return true
		}
	}
	return false
}

// ErrUnheard says that nothing is known of what heads say now.
var ErrUnheard = errors.New("no head has told anything yet")

// ErrDoubted says that heads show nothing of the VM itself.
var ErrDoubted = errors.New("the head shows nothing of this VM itself; what it says of the others is not believed")

// ErrEmpty says that heads show nothing at all.
var ErrEmpty = errors.New("the head shows nothing, as it does for a wrong read token; what was there stays")

// doubt returns why what heads say of a family cannot be right, or nil.
func (c *Context) doubt(where at, f *family) error {
	_, own := f.said[c.self.ReservationID]
	switch {
	case where.token == c.unit && where.token != c.slice, !isGroup(where.family):
		if !own {
			return ErrEmpty
		}
	case c.writes(where.family) && !own:
		return ErrDoubted
	case len(f.said) == 0:
		return ErrEmpty
	}
	return nil
}

// writes reports whether the VM has an entry of its own in the family.
func (c *Context) writes(family scope.Family) bool {
	if c.self.Slice.Tokens.Write.IsZero() {
		return false
	}
	s := c.self.Slice
	is := func(familyOf func(string) (scope.Family, error)) func(string) bool {
		return func(group string) bool { f, err := familyOf(group); return err == nil && f == family }
	}
	return slices.ContainsFunc(s.HostsWrite, is(scope.HostsOf)) || slices.ContainsFunc(s.PubKeysWrite, is(scope.PubKeysOf))
}

func isGroup(f scope.Family) bool { return !slices.Contains(scope.InstanceFamilies(), f) }
