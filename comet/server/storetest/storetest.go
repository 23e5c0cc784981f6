// Package storetest holds the tests that every store of a head passes, whatever it is made of. What they ask for is what
// [server.Store] promises.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// Run runs all tests, each on an empty store of its own that open makes. The tests close it.
func Run(t *testing.T, open func(testing.TB) server.Store) {
	for _, c := range []struct {
		name string
		test func(*store)
	}{
		{"nothing is there at first", testNothing},
		{"what was created can be read", testCreate},
		{"creating takes leave to create", testMayNotCreate},
		{"modifying takes the write token alone", testModify},
		{"a wrong write token changes nothing", testWrongWriteToken},
		{"a wrong read token shows nothing", testWrongReadToken},
		{"swapped tokens are wrong tokens", testSwapped},
		{"one name under two read tokens is two entries", testShadow},
		{"removing", testRemove},
		{"a removed name may be taken by another", testComeBack},
		{"the same value again raises nothing", testSameValue},
		{"lists are ordered by family and key", testListOrder},
		{"lists hold one family where asked", testListFamily},
		{"names that run together stay apart", testBoundaries},
		{"all of a batch or none", testBatch},
		{"a batch changes no entry twice", testTwice},
		{"nothing without names and tokens", testMissing},
		{"values are kept as they are", testValues},
		{"a change may ask for a revision", testIfRevision},
		{"a change may ask for absence", testIfAbsent},
		{"conditions hold for whole batches", testBatchConditions},
		{"of many who saw the same one changes it", testConditionRace},
		{"where there is no room nothing is created", testRoom},
		{"what is owned its owner removes", testOwner},
		{"what changed since", testSince},
		{"what went away since", testSinceRemoved},
		{"what changed since in some families", testSinceFamilies},
		{"what others changed is not shown", testSinceOthers},
		{"a batch changes all at once", testSinceBatch},
		{"since what was never", testSinceUnknown},
		{"watchers are woken by what they watch", testWatch},
		{"many changes wake once", testWatchOften},
		{"what changed nothing wakes nobody", testWatchSame},
		{"watching ends", testWatchEnds},
		{"who watches misses nothing", testFollow},
		{"who has left changes nothing", testCancelled},
		{"of many creators one wins", testRace},
		{"many writers lose nothing", testWriters},
		{"random work does what a map does", testModel},
		{"a closed store says so", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			c.test(&store{T: t, s: s})
		})
	}
}

func testNothing(s *store) {
	s.absent(name, alice.Read)
	require.Empty(s, s.list(name.Context, alice.Read, scope.Family{}))
	require.Empty(s, s.list(name.Context, alice.Read, name.Family))
	require.Zero(s, s.revision())
	require.NotEmpty(s, s.s.Identity())
	require.Equal(s, s.s.Identity(), s.s.Identity())
}

func testCreate(s *store) {
	before := time.Now().Add(-time.Millisecond)
	r := s.applied(write(name, alice, "one"))
	require.Equal(s, server.Result{Created: true, Changed: true, Revision: 1}, r)
	e := s.holds(name, alice.Read, "one")
	require.EqualValues(s, 1, e.Revision)
	require.WithinRange(s, e.Modified, before, time.Now())
	require.Equal(s, time.UTC, e.Modified.Location())
	require.Equal(s, []string{"hostsall/vm=one"}, s.list(name.Context, alice.Read, scope.Family{}))
	require.EqualValues(s, 1, s.revision())
}

func testMayNotCreate(s *store) {
	s.refused(server.ErrMayNotCreate, 0, modify(name, alice, "one"))
	s.absent(name, alice.Read)
}

func testModify(s *store) {
	s.applied(write(name, alice, "one"))
	require.Equal(s, server.Result{Changed: true, Revision: 2}, s.applied(modify(name, alice, "two")))
	require.EqualValues(s, 2, s.holds(name, alice.Read, "two").Revision)
	require.Equal(s, server.Result{Changed: true, Revision: 3}, s.applied(write(name, alice, "three")))
	s.holds(name, alice.Read, "three")
}

func testWrongWriteToken(s *store) {
	s.applied(write(name, alice, "one"))
	mixed := scope.Tokens{Read: alice.Read, Write: bob.Write}
	s.refused(server.ErrWriteToken, 0, write(name, mixed, "two"))
	s.refused(server.ErrWriteToken, 0, write(name, mixed, "one"))
	s.refused(server.ErrWriteToken, 0, modify(name, mixed, "two"))
	s.refused(server.ErrWriteToken, 0, remove(name, mixed))
	require.EqualValues(s, 1, s.holds(name, alice.Read, "one").Revision)
	s.applied(modify(name, alice, "two"))
}

func testWrongReadToken(s *store) {
	s.applied(write(name, alice, "one"))
	mixed := scope.Tokens{Read: bob.Read, Write: alice.Write}
	s.absent(name, bob.Read)
	require.Empty(s, s.list(name.Context, bob.Read, scope.Family{}))
	require.Empty(s, s.list(name.Context, bob.Read, name.Family))
	s.refused(server.ErrMayNotCreate, 0, modify(name, mixed, "two"))
	s.refused(server.ErrNoEntry, 0, remove(name, mixed))
	s.holds(name, alice.Read, "one")
}

func testSwapped(s *store) {
	s.applied(write(name, alice, "one"))
	swapped := scope.Tokens{Read: alice.Write, Write: alice.Read}
	s.absent(name, swapped.Read)
	s.refused(server.ErrMayNotCreate, 0, modify(name, swapped, "two"))
	s.refused(server.ErrNoEntry, 0, remove(name, swapped))
	s.refused(server.ErrWriteToken, 0, modify(name, scope.Tokens{Read: alice.Read, Write: alice.Read}, "two"))
	s.holds(name, alice.Read, "one")
}

func testShadow(s *store) {
	require.True(s, s.applied(write(name, alice, "hers")).Created)
	require.True(s, s.applied(write(name, bob, "his")).Created)
	s.holds(name, alice.Read, "hers")
	s.holds(name, bob.Read, "his")
	require.Equal(s, []string{"hostsall/vm=his"}, s.list(name.Context, bob.Read, scope.Family{}))
	s.applied(remove(name, alice))
	s.absent(name, alice.Read)
	s.holds(name, bob.Read, "his")
}

func testRemove(s *store) {
	s.refused(server.ErrNoEntry, 0, remove(name, alice))
	s.applied(write(name, alice, "one"))
	require.Equal(s, server.Result{Changed: true, Revision: 2}, s.applied(remove(name, alice)))
	s.absent(name, alice.Read)
	require.Empty(s, s.list(name.Context, alice.Read, scope.Family{}))
	require.EqualValues(s, 2, s.revision())
	s.refused(server.ErrNoEntry, 0, remove(name, alice))
	s.refused(server.ErrMayNotCreate, 0, modify(name, alice, "two"))
}

func testComeBack(s *store) {
	s.applied(write(name, alice, "one"))
	s.applied(remove(name, alice))
	other := scope.Tokens{Read: alice.Read, Write: bob.Write}
	require.Equal(s, server.Result{Created: true, Changed: true, Revision: 3}, s.applied(write(name, other, "two")))
	s.refused(server.ErrWriteToken, 0, modify(name, alice, "three"))
	s.holds(name, alice.Read, "two")
	s.applied(remove(name, other))
	s.absent(name, alice.Read)
}

func testSameValue(s *store) {
	s.applied(write(name, alice, "one"))
	first := s.holds(name, alice.Read, "one")
	require.Equal(s, server.Result{Revision: 1}, s.applied(write(name, alice, "one")))
	require.Equal(s, server.Result{Revision: 1}, s.applied(modify(name, alice, "one")))
	require.Equal(s, first, s.holds(name, alice.Read, "one"))
	require.EqualValues(s, 1, s.revision())
	require.EqualValues(s, 2, s.applied(modify(name, alice, "two")).Revision)
}

func testListOrder(s *store) {
	want := []string{}
	for _, f := range []string{"a", "b", "bb", "c", "hosts", "hostsall"} {
		for _, k := range []string{"10", "9", "A", "a", "aa", "b", "é"} {
			want = append(want, f+"/"+k+"=v")
		}
	}
	for i := range want { // in an order of no meaning
		f, k, _ := strings.Cut(strings.TrimSuffix(want[i*5%len(want)], "=v"), "/")
		s.applied(write(scope.MustName("slice", f, k), alice, "v"))
	}
	require.Equal(s, want, s.list(name.Context, alice.Read, scope.Family{}))
}

func testListFamily(s *store) {
	for _, f := range []string{"host", "hosts", "hostsall", "hostsall2"} {
		s.applied(write(scope.MustName("slice", f, "vm"), alice, f))
	}
	for _, f := range []string{"host", "hosts", "hostsall", "hostsall2"} {
		require.Equal(s, []string{f + "/vm=" + f}, s.list(name.Context, alice.Read, scope.MustFamily(f)))
	}
	require.Empty(s, s.list(name.Context, alice.Read, scope.MustFamily("hos")))
}

func testBoundaries(s *store) {
	names := []scope.Name{
		scope.MustName("a", "bc", "d"), scope.MustName("ab", "c", "d"), scope.MustName("a", "b", "cd"), scope.MustName("a", "bcd", "d"),
		scope.MustName(strings.Repeat("x", scope.MaxNameLen), strings.Repeat("y", scope.MaxNameLen), strings.Repeat("z", scope.MaxNameLen)),
	}
	for _, n := range names {
		require.True(s, s.applied(write(n, alice, n.String())).Created)
	}
	for _, n := range names {
		s.holds(n, alice.Read, n.String())
	}
	require.Len(s, s.list(names[0].Context, alice.Read, scope.Family{}), 3)
	require.Len(s, s.list(names[1].Context, alice.Read, scope.Family{}), 1)
	require.Len(s, s.list(names[4].Context, alice.Read, names[4].Family), 1)
}

func testBatch(s *store) {
	other := scope.MustName("slice", "hostsall", "other")
	third := scope.MustName("slice", "pubkeysall", "third")
	results, err := s.s.Apply(s.Context(), write(name, alice, "one"), write(other, bob, "one"))
	require.NoError(s, err)
	require.Equal(s, []server.Result{{Created: true, Changed: true, Revision: 1}, {Created: true, Changed: true, Revision: 1}}, results)

	wrong := scope.Tokens{Read: bob.Read, Write: alice.Write}
	s.refused(server.ErrWriteToken, 2, write(third, alice, "x"), modify(name, alice, "two"), modify(other, wrong, "two"))
	s.refused(server.ErrNoEntry, 1, remove(name, alice), remove(third, alice))
	s.refused(server.ErrMayNotCreate, 1, remove(name, alice), modify(third, alice, "x"))
	s.absent(third, alice.Read)
	s.holds(name, alice.Read, "one")
	s.holds(other, bob.Read, "one")

	results, err = s.s.Apply(s.Context(), remove(name, alice), modify(other, bob, "one"), write(third, alice, "x"))
	require.NoError(s, err)
	require.Equal(s, []server.Result{{Changed: true, Revision: 2}, {Revision: 1}, {Created: true, Changed: true, Revision: 2}}, results)

	results, err = s.s.Apply(s.Context())
	require.NoError(s, err)
	require.Empty(s, results)
	require.EqualValues(s, 2, s.revision())
}

func testTwice(s *store) {
	_, err := s.s.Apply(s.Context(), write(name, alice, "one"), write(name, alice, "two"))
	var refusal *server.ChangeError
	require.ErrorAs(s, err, &refusal)
	require.Equal(s, 1, refusal.Index)
	s.absent(name, alice.Read)
}

func testMissing(s *store) {
	for _, c := range []server.Change{
		write(scope.Name{}, alice, "x"),
		write(scope.Name{Context: name.Context, Family: name.Family}, alice, "x"),
		write(name, scope.Tokens{Read: alice.Read}, "x"),
		write(name, scope.Tokens{Write: alice.Write}, "x"),
	} {
		_, err := s.s.Apply(s.Context(), c)
		require.Error(s, err)
	}
	require.Zero(s, s.revision())
}

func testValues(s *store) {
	for i, v := range []string{"", "\x00", "\"\"", "null", `{"val_":"[{\"ip\":\"\"}]"}`, "é\u2028\n", strings.Repeat("x", server.MaxValue)} {
		n := scope.MustName("slice", "f", fmt.Sprint(i))
		require.True(s, s.applied(write(n, alice, v)).Changed)
		s.holds(n, alice.Read, v)
	}
}

func testCancelled(s *store) {
	reason := errors.New("gone")
	ctx, cancel := context.WithCancelCause(s.Context())
	cancel(reason)
	_, err := s.s.Apply(ctx, write(name, alice, "one"))
	require.ErrorIs(s, err, reason)
	_, _, err = s.s.Read(ctx, name, alice.Read)
	require.ErrorIs(s, err, reason)
	_, err = s.s.List(ctx, name.Context, alice.Read, scope.Family{})
	require.ErrorIs(s, err, reason)
	_, err = s.s.Since(ctx, name.Context, alice.Read, 0)
	require.ErrorIs(s, err, reason)
	_, err = s.s.Watch(ctx, name.Context, alice.Read)
	require.ErrorIs(s, err, reason)
	s.applied(write(scope.MustName("slice", "f", "after"), alice, "x")) // whatever waited was judged before this one
	s.absent(name, alice.Read)
}

func testRace(s *store) {
	const rivals = 32
	var wg sync.WaitGroup
	var mu sync.Mutex
	winner := -1
	for i := range rivals {
		wg.Go(func() {
			t := scope.Tokens{Read: alice.Read, Write: scope.MustToken(fmt.Sprintf("rival-%d", i))}
			results, err := s.s.Apply(s.Context(), write(name, t, fmt.Sprint(i)))
			if err != nil {
				assert.ErrorIs(s, err, server.ErrWriteToken)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			assert.True(s, results[0].Created)
			assert.Equal(s, -1, winner, "two created the same entry")
			winner = i
		})
	}
	wg.Wait()
	s.holds(name, alice.Read, fmt.Sprint(winner))
}

func testWriters(s *store) {
	const writers, writes = 64, 20
	var wg sync.WaitGroup
	revisions := make([][]uint64, writers)
	for i := range writers {
		wg.Go(func() {
			for j := range writes {
				n := scope.MustName("slice", "f", fmt.Sprintf("%d-%d", i, j%10))
				results, err := s.s.Apply(s.Context(), write(n, alice, fmt.Sprint(j)))
				if !assert.NoError(s, err) {
					return
				}
				revisions[i] = append(revisions[i], results[0].Revision)
				e, found, err := s.s.Read(s.Context(), n, alice.Read)
				assert.True(s, err == nil && found && e.Value == fmt.Sprint(j), "a write was acknowledged and is not there")
			}
		})
	}
	wg.Wait()
	seen := map[uint64]bool{}
	for _, own := range revisions {
		for i, r := range own {
			require.False(s, seen[r], "two changes have one revision")
			require.True(s, i == 0 || own[i-1] < r, "revisions rise")
			seen[r] = true
		}
	}
	require.EqualValues(s, writers*writes, s.revision())
	require.Len(s, s.list(name.Context, alice.Read, scope.Family{}), writers*10)
}

func testClosed(s *store) {
	s.applied(write(name, alice, "one"))
	require.NoError(s, s.s.Close())
	_, err := s.s.Apply(s.Context(), write(name, alice, "two"))
	require.ErrorIs(s, err, server.ErrClosed)
	_, _, err = s.s.Read(s.Context(), name, alice.Read)
	require.ErrorIs(s, err, server.ErrClosed)
	_, err = s.s.List(s.Context(), name.Context, alice.Read, scope.Family{})
	require.ErrorIs(s, err, server.ErrClosed)
	_, err = s.s.Since(s.Context(), name.Context, alice.Read, 0)
	require.ErrorIs(s, err, server.ErrClosed)
	_, err = s.s.Watch(s.Context(), name.Context, alice.Read)
	require.ErrorIs(s, err, server.ErrClosed)
	require.NoError(s, s.s.Close())
}
