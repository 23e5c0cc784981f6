package known

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Settings say how a context is followed.
type Settings struct {
	Every   time.Duration // between questions to heads that do not tell of changes; what is missing is gone after a second answer that late; 10 s where it is zero
	Settled time.Duration // between such questions once all members have reported; 6 times Every where it is zero
	Changed func()        // called when there is news; it must not block
	Log     *slog.Logger
}

// Context is what is known of one context. Safe for concurrent use.
type Context struct {
	Settings
	client *comet.Client
	self   orca.UserData
	watch  comet.Watch
	slice  int // which of the watch's read tokens is the slice's, -1 where it has none
	unit   int // which is that of the VM's own entries

	mu       sync.Mutex
	families map[at]*family
	failed   error     // why nothing is heard, nil since the last answer
	said     time.Time // when that was logged last
	heard    time.Time // when a head answered last
	moved    time.Time // when something changed last
	dirty    bool      // there is something to keep
	turn     int       // counts what was heard
	answers  int       // counts what heads said
}

// at is a family as one read token shows it.
type at struct {
	token  int
	family scope.Family
}

// New returns what is known of the context that the user data names: nothing yet. The client stays the caller's.
func New(client *comet.Client, self orca.UserData, s Settings) (*Context, error) {
	if s.Every <= 0 {
		s.Every = 10 * time.Second
	}
	if s.Settled <= 0 {
		s.Settled = 6 * s.Every
	}
	c := &Context{Settings: s, client: client, self: self, slice: -1, unit: -1, families: map[at]*family{}}
	switch {
	case self.SliceID.IsZero():
		return nil, errors.New("user data: slice_id is not set")
	case self.ReservationID.IsZero():
		return nil, errors.New("user data: reservation_id is not set")
	}
	c.watch = comet.Watch{Context: self.SliceID, Every: s.Every, Pause: c.pause, Failed: c.fail, Heard: c.hear}
	c.slice = c.follow(self.Slice.Tokens.Read, Groups(self))
	c.unit = c.follow(self.ReadToken, scope.InstanceFamilies())
	if len(c.watch.Read) == 0 {
		return nil, errors.New("user data: neither slicecometreadtoken nor cometreadtoken is set")
	}
	return c, nil
}

// follow adds families that a token shows, and returns which token it is.
func (c *Context) follow(read scope.Token, families []scope.Family) int {
	if read.IsZero() || len(families) == 0 {
		return -1
	}
	i := slices.Index(c.watch.Read, read)
	if i < 0 {
		i = len(c.watch.Read)
		c.watch.Read = append(c.watch.Read, read)
	}
	for _, f := range families {
		c.families[at{i, f}] = &family{}
		if !slices.Contains(c.watch.Families, f) {
			c.watch.Families = append(c.watch.Families, f)
		}
	}
	return i
}

// Groups returns the families in which a VM has something to learn or to publish.
func Groups(self orca.UserData) (all []scope.Family) {
	add := func(familyOf func(string) (scope.Family, error), lists ...[]string) {
		for _, group := range slices.Concat(lists...) {
			if f, err := familyOf(group); err == nil && !slices.Contains(all, f) {
				all = append(all, f)
			}
		}
	}
	add(scope.HostsOf, self.Slice.HostsRead, self.Slice.HostsWrite)
	add(scope.PubKeysOf, self.Slice.PubKeysRead, self.Slice.PubKeysWrite)
	return all
}

// Self is the user data that the context is of.
func (c *Context) Self() orca.UserData { return c.self }

// Client speaks to the heads of the context.
func (c *Context) Client() *comet.Client { return c.client }

// Follow keeps what is known true until ctx ends, and then returns nil. Failures are logged, once in a while, and tried again.
func (c *Context) Follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var confirming sync.WaitGroup
	defer confirming.Wait()
	defer cancel()
	confirming.Go(func() { c.confirm(ctx) })
	err := c.client.Watch(ctx, c.watch, func(change comet.Change) error {
		c.take(change)
		return nil
	})
	if err != nil {
		c.fail(err)
	}
	return err
}

// hear notes that a head answered.
func (c *Context) hear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answered(time.Now()) {
		c.turn++
		c.news()
	}
}

// answered notes when a head answered, and reports whether none did before.
func (c *Context) answered(now time.Time) (again bool) {
	c.heard = now
	if again = c.failed != nil; again {
		c.failed = nil
		c.Log.Info("a head tells of the slice again", slog.String("context", c.self.SliceID.String()))
	}
	return again
}

// take takes what a head told.
func (c *Context) take(change comet.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(change)
}

// note notes what a head said.
func (c *Context) note(change comet.Change) {
	now := time.Now()
	c.answered(now)
	c.turn++
	c.answers++
	if change.Whole {
		for _, f := range c.families {
			f.said = map[scope.Key]entry{}
		}
	}
	for _, e := range change.Entries {
		if f := c.families[at{e.Token, e.Name.Family}]; f != nil {
			f.say(e)
			c.moved = now
		}
	}
	for _, e := range change.Removed {
		if f := c.families[at{e.Token, e.Name.Family}]; f != nil {
			delete(f.said, e.Name.Key)
			c.moved = now
		}
	}
	told := !change.Whole && !change.Compared
	for where, f := range c.families {
		c.dirty = f.believe(c.doubt(where, f), told, now, c.Every) || c.dirty
	}
	c.news()
}

func (c *Context) news() {
	if c.Changed != nil {
		c.Changed()
	}
}

const sayAgain = 5 * time.Minute

// fail notes that no head answered, and logs it once in a while.
func (c *Context) fail(err error) {
	first := c.failing(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	if first || time.Since(c.said) > sayAgain {
		c.said = time.Now()
		c.Log.Warn("no head tells of the slice; what is known stays", slog.String("context", c.self.SliceID.String()),
			slog.String("because", oneLine(err)))
	}
}

// failing notes that no head answered, and reports whether one did before.
func (c *Context) failing(err error) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first, c.failed = c.failed == nil, err
	c.turn++
	c.news()
	return first
}

// hurry is for how long after the last change members that have not reported are waited for with short pauses; some, such as LUNs, never do.
const hurry = 15 * time.Minute

// pause is how long to wait before a head is asked that does not tell of changes.
func (c *Context) pause() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.moved) < hurry && c.missing() || c.unsettled() {
		return c.Every
	}
	return c.Settled
}

// missing reports whether a member of a group has not reported.
func (c *Context) missing() bool {
	for where, f := range c.families {
		if where.token == c.slice && f.waits() {
			return true
		}
	}
	return false
}

// Unsettled reports whether something is missing that only a second answer can tell to be gone: somebody should Ask.
func (c *Context) Unsettled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsettled()
}

func (c *Context) unsettled() bool {
	for _, f := range c.families {
		if !f.missed.IsZero() && f.doubt == nil {
			return true
		}
	}
	return false
}

// Turn changes whenever what the context answers may have changed.
func (c *Context) Turn() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

// Failing returns when a head was heard last, and why none is heard now, nil while one is.
func (c *Context) Failing() (heard time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard, c.failed
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
