package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// RunAgeing runs the tests of what stores do whose entries expire after a time. open opens an empty store with that expiry, and within
// runs a test: where the store's clock is the computer's it just calls it, else in a bubble of testing/synctest. The tests close the
// store. None of them ends before twice the expiry is over.
func RunAgeing(t *testing.T, expiry time.Duration, within func(*testing.T, func(*testing.T)), open func(t *testing.T, expiry time.Duration) server.Store) {
	for _, c := range []struct {
		name string
		test func(*store, time.Duration)
	}{
		{"what nobody looks at expires, all of a token and nothing else", testExpires},
		{"whoever looks or writes renews", testRenews},
		{"what is written while all expires stays", testWriteAgainstExpiry},
		{"what expired may be created anew", testAfterExpiry},
	} {
		t.Run(c.name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				s := open(t, expiry)
				defer func() { require.NoError(t, s.Close()) }()
				c.test(&store{T: t, s: s}, expiry)
			})
		})
	}
}

// left leaves what the channel watches alone until it wakes, and does something else meanwhile.
func (s *store) left(woken <-chan struct{}, expiry time.Duration, meanwhile func()) {
	s.Helper()
	began := time.Now()
	for tick := time.NewTicker(expiry / 8); ; {
		select {
		case _, open := <-woken:
			require.True(s, open)
			if time.Since(began) >= expiry { // else it is late, for what was written before
				tick.Stop()
				return
			}
		case <-tick.C:
			meanwhile()
			require.Less(s, time.Since(began), 3*expiry+patience, "nothing expired")
		}
	}
}

func testExpires(s *store, expiry time.Duration) {
	s.applied(write(at("f", "a"), alice, "1"))
	s.applied(write(at("g", "b"), alice, "1"))
	s.applied(write(at("f", "gone"), alice, "1"))
	s.applied(remove(at("f", "gone"), alice))
	s.applied(write(name, bob, "his"))
	id := scope.MustName("other slice", "f", "k")
	s.applied(write(id, alice, "elsewhere"))
	before, err := s.s.List(s.Context(), name.Context, alice.Read, scope.Family{})
	require.NoError(s, err)
	require.Len(s, before.Entries, 2)
	rev := s.changes(alice.Read, 0).Revision
	all, one := s.watch(name.Context, alice.Read), s.watch(name.Context, alice.Read, scope.MustFamily("g"))
	s.left(all, expiry, func() {
		s.holds(name, bob.Read, "his")
		s.holds(id, alice.Read, "elsewhere")
	})
	s.woken(one)

	c := s.changes(alice.Read, rev)
	require.True(s, c.Whole && c.Empty, "not removals, but a state without anything")
	require.Empty(s, lines(c))
	require.Greater(s, c.Revision, rev)
	s.absent(at("f", "a"), alice.Read)
	s.absent(at("g", "b"), alice.Read)
	after, err := s.s.List(s.Context(), name.Context, alice.Read, scope.Family{})
	require.NoError(s, err)
	require.Empty(s, after.Entries)
	require.Greater(s, after.Changed, before.Changed, "another state has another tag")
	again := s.changes(alice.Read, c.Revision)
	require.False(s, again.Whole, "it is told once")
	require.Empty(s, lines(again))
	s.holds(name, bob.Read, "his")
	s.holds(id, alice.Read, "elsewhere")
}

func testRenews(s *store, expiry time.Duration) {
	ways := map[string]func(scope.Tokens){
		"read":        func(t scope.Tokens) { s.holds(name, t.Read, "1") },
		"list":        func(t scope.Tokens) { s.list(name.Context, t.Read, scope.Family{}) },
		"list family": func(t scope.Tokens) { s.list(name.Context, t.Read, scope.MustFamily("f")) },
		"since": func(t scope.Tokens) {
			_, err := s.s.Since(s.Context(), name.Context, t.Read, s.revision())
			require.NoError(s, err)
		},
		"the same value": func(t scope.Tokens) { s.applied(modify(name, t, "1")) },
	}
	tokens, tags := map[string]scope.Tokens{}, map[string]server.Listing{}
	for way := range ways {
		t := scope.Tokens{Read: scope.MustToken("reads " + way), Write: scope.MustToken("writes " + way)}
		s.applied(write(name, t, "1"))
		s.applied(write(at("f", "another"), t, "1"))
		s.applied(write(at("f", "removed"), t, "1"))
		s.applied(remove(at("f", "removed"), t))
		tokens[way] = t
	}
	for way, t := range tokens {
		l, err := s.s.List(s.Context(), name.Context, t.Read, scope.Family{})
		require.NoError(s, err)
		tags[way] = l
	}
	for began := time.Now(); time.Since(began) < 5*expiry; {
		time.Sleep(expiry / 8) // leaves all alone for a while, which is what this is about
		for way, renew := range ways {
			renew(tokens[way])
		}
	}
	for way, t := range tokens {
		l, err := s.s.List(s.Context(), name.Context, t.Read, scope.Family{})
		require.NoError(s, err)
		require.Len(s, l.Entries, 2, way)
		require.Equal(s, tags[way].Entries, l.Entries, "%s: renewing has no revision", way)
		require.Equal(s, tags[way].Changed, l.Changed, "%s: and no tag", way)
	}
}

// Groups that expire at about the moment at which somebody writes again: whatever was acknowledged is there.
func testWriteAgainstExpiry(s *store, expiry time.Duration) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			t := scope.Tokens{Read: scope.MustToken(fmt.Sprint("reads ", i)), Write: scope.MustToken(fmt.Sprint("writes ", i))}
			for round := range 2 {
				for _, key := range []string{"a", "b"} {
					_, err := s.s.Apply(s.Context(), write(at("f", key), t, fmt.Sprint(round)))
					assert.NoError(s, err)
				}
				time.Sleep(2*expiry - expiry/8 + rand.N(expiry/4))
				value := fmt.Sprint("late ", round)
				_, err := s.s.Apply(s.Context(), write(at("f", "a"), t, value))
				assert.NoError(s, err)
				e, found, err := s.s.Read(s.Context(), at("f", "a"), t.Read)
				assert.NoError(s, err)
				assert.True(s, found && e.Value == value, "an acknowledged write is lost")
				// What was not written again went or stayed, all of it.
				e, found, err = s.s.Read(s.Context(), at("f", "b"), t.Read)
				assert.NoError(s, err)
				assert.True(s, !found || e.Value == fmt.Sprint(round))
			}
		})
	}
	wg.Wait()
}

func testAfterExpiry(s *store, expiry time.Duration) {
	s.applied(write(at("f", "old"), alice, "1"))
	s.applied(write(name, alice, "1"))
	rev := s.changes(alice.Read, 0).Revision
	s.left(s.watch(name.Context, alice.Read), expiry, func() {})
	s.refused(server.ErrMayNotCreate, 0, modify(name, alice, "2"))
	s.refused(server.ErrNoEntry, 0, remove(name, alice))
	s.refused(server.ErrCondition, 0, ifRevision(modify(name, alice, "2"), rev))
	other := scope.Tokens{Read: alice.Read, Write: bob.Write}
	limited := write(name, other, "2")
	limited.Room = 1
	require.True(s, s.applied(limited).Created, "it is anybody's, and there is room")
	for _, old := range []uint64{0, 1, rev} {
		c := s.changes(alice.Read, old)
		require.True(s, c.Whole)
		require.Equal(s, []string{"hostsall/vm=2"}, lines(c))
	}
	now := s.changes(alice.Read, rev).Revision
	s.applied(remove(name, other))
	got, _ := s.since(now)
	require.Equal(s, []string{"hostsall/vm removed"}, got, "a removal is one")
}
