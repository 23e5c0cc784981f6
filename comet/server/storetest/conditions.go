package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

func ifRevision(c server.Change, revision uint64) server.Change {
	c.IfRevision = revision
	return c
}

func ifAbsent(c server.Change) server.Change {
	c.IfAbsent = true
	return c
}

func testIfRevision(s *store) {
	s.refused(server.ErrCondition, 0, ifRevision(write(name, alice, "one"), 1))
	first := s.applied(write(name, alice, "one")).Revision
	require.Equal(s, server.Result{Revision: first}, s.applied(ifRevision(write(name, alice, "one"), first)))
	second := s.applied(ifRevision(modify(name, alice, "two"), first)).Revision
	require.Greater(s, second, first)
	for _, stale := range []uint64{first, second + 1} {
		s.refused(server.ErrCondition, 0, ifRevision(write(name, alice, "three"), stale))
		s.refused(server.ErrCondition, 0, ifRevision(write(name, alice, "two"), stale)) // though it would change nothing
		s.refused(server.ErrCondition, 0, ifRevision(remove(name, alice), stale))
	}
	s.holds(name, alice.Read, "two")

	// Whoever may not change the entry learns nothing of its revision.
	mixed := scope.Tokens{Read: alice.Read, Write: bob.Write}
	s.refused(server.ErrWriteToken, 0, ifRevision(write(name, mixed, "three"), first))
	s.refused(server.ErrWriteToken, 0, ifRevision(remove(name, mixed), second))

	s.applied(ifRevision(remove(name, alice), second))
	s.refused(server.ErrCondition, 0, ifRevision(write(name, alice, "three"), second))
	s.refused(server.ErrNoEntry, 0, ifRevision(remove(name, alice), second))
	s.absent(name, alice.Read)
}

func testIfAbsent(s *store) {
	s.refused(server.ErrMayNotCreate, 0, ifAbsent(modify(name, alice, "one")))
	require.True(s, s.applied(ifAbsent(write(name, alice, "one"))).Created)
	s.refused(server.ErrCondition, 0, ifAbsent(write(name, alice, "two")))
	s.refused(server.ErrCondition, 0, ifAbsent(write(name, alice, "one")))
	s.refused(server.ErrCondition, 0, ifAbsent(modify(name, alice, "two")))
	s.refused(server.ErrCondition, 0, ifAbsent(write(name, scope.Tokens{Read: alice.Read, Write: bob.Write}, "two")))
	require.True(s, s.applied(ifAbsent(write(name, bob, "his"))).Created, "what the token does not show is absent")
	s.applied(remove(name, alice))
	require.True(s, s.applied(ifAbsent(write(name, alice, "two"))).Created)
	s.holds(name, alice.Read, "two")
}

func testBatchConditions(s *store) {
	other := scope.MustName("slice", "hostsall", "other")
	first := s.applied(write(name, alice, "one")).Revision
	s.refused(server.ErrCondition, 1, write(other, alice, "x"), ifRevision(write(name, alice, "two"), first+1))
	s.refused(server.ErrCondition, 1, write(other, alice, "x"), ifAbsent(write(name, alice, "two")))
	s.absent(other, alice.Read)
	s.holds(name, alice.Read, "one")
	results, err := s.s.Apply(s.Context(), ifAbsent(write(other, alice, "x")), ifRevision(write(name, alice, "two"), first))
	require.NoError(s, err)
	require.Equal(s, results[0].Revision, results[1].Revision)
	s.holds(other, alice.Read, "x")
	s.holds(name, alice.Read, "two")
}

func testConditionRace(s *store) {
	const rivals, rounds = 16, 10
	s.applied(write(name, alice, "start"))
	for round := range rounds {
		seen := s.read(name, alice.Read).Revision
		var wg sync.WaitGroup
		var won atomic.Int32
		for i := range rivals {
			wg.Go(func() {
				_, err := s.s.Apply(s.Context(), ifRevision(write(name, alice, fmt.Sprintf("%d by %d", round, i)), seen))
				if err == nil {
					won.Add(1)
					return
				}
				assert.ErrorIs(s, err, server.ErrCondition)
			})
		}
		wg.Wait()
		require.EqualValues(s, 1, won.Load())
	}
}
