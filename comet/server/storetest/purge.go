package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

func (s *shown) purge(e server.Entry, since time.Time) int {
	s.Helper()
	n, err := s.Purge(s.Context(), e.Name.Context, since)
	require.NoError(s, err)
	return n
}

func testPurge(t *testing.T, find func(testing.TB) Place) {
	s := openAt(t, find(t))
	tokens := scope.NewTokens()
	for i := range 100 {
		s.put("gone", fmt.Sprint("vm-", i), "x", tokens)
	}
	s.put("gone", "vm", "x", scope.NewTokens())
	kept := s.put("gone ", "vm", "x", tokens)
	last := s.put("gone", "last", "x", tokens)
	require.Zero(t, s.purge(last, last.Modified.Add(-time.Millisecond)))
	require.Equal(t, 102, s.purge(last, last.Modified))
	require.Zero(t, s.purge(last, time.Now()))
	groups := s.groups()
	require.Len(t, groups, 1)
	require.Equal(t, kept.Name.Context, groups[0].Context)
	require.Equal(t, kept, s.entry(kept.Name, tokens))
	s.put("gone", "vm-1", "again", scope.Tokens{Read: tokens.Read, Write: scope.NewToken()}) // nobody's any more
}

func testPurgeIsSeen(t *testing.T, find func(testing.TB) Place) {
	s := openAt(t, find(t))
	tokens := scope.NewTokens()
	e := s.put("slice", "vm", "x", tokens)
	woken, err := s.Watch(t.Context(), e.Name.Context, tokens.Read, e.Name.Family)
	require.NoError(t, err)
	require.Equal(t, 1, s.purge(e, e.Modified))
	select {
	case <-woken:
	case <-time.After(30 * time.Second):
		require.Fail(t, "who waits is not woken")
	}
	c, err := s.Since(t.Context(), e.Name.Context, tokens.Read, e.Revision)
	require.NoError(t, err)
	require.Equal(t, []scope.Name{e.Name}, c.Removed)
	require.Greater(t, c.Revision, e.Revision)
	require.True(t, c.Empty)
}

func testPurgeChanged(t *testing.T, find func(testing.TB) Place) {
	s := openAt(t, find(t))
	old := s.put("slice", "old", "x", scope.NewTokens())
	tick(t, old)
	s.put("slice", "new", "x", scope.NewTokens())
	require.Zero(t, s.purge(old, old.Modified))
	require.Len(t, s.groups(), 2)
}

func testPurgeMakesRoom(t *testing.T, find func(testing.TB) Place) {
	s := openAt(t, find(t))
	tokens := scope.NewTokens()
	create := func(key string) error {
		n := scope.MustName("slice", "hostsall", key)
		_, err := s.Apply(t.Context(), server.Change{Name: n, Tokens: tokens, Value: "x", MayCreate: true, Room: 1})
		return err
	}
	require.NoError(t, create("first"))
	require.ErrorIs(t, create("second"), server.ErrFull)
	require.Equal(t, 1, s.purge(s.entry(scope.MustName("slice", "hostsall", "first"), tokens), time.Now()))
	require.NoError(t, create("second"))
	require.ErrorIs(t, create("third"), server.ErrFull)
}

// export writes an export of the store and opens it.
