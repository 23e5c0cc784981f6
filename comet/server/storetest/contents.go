package storetest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/scope"
)

// Contents is a store that operators can look into.
type Contents interface {
	server.Store
	contents.Store
}

// Place is where a store can be: Import takes a file in while no store is open there, and makes it where there is none.
type Place struct {
	Open   func(testing.TB) Contents
	Import func(context.Context, *contents.File) (contents.Imported, error)

	KeepsRemovals bool // an import brings nothing back that the store has removed
}

// RunContents runs the tests of what operators do, each in places of its own, with nothing there, that find finds.
func RunContents(t *testing.T, find func(testing.TB) Place) {
	for _, c := range []struct {
		name string
		test func(*testing.T, func(testing.TB) Place)
	}{
		{"groups", testGroups},
		{"purging", testPurge},
		{"purged entries are removals", testPurgeIsSeen},
		{"what came to life is not purged", testPurgeChanged},
		{"purged entries make room", testPurgeMakesRoom},
		{"an export holds everything but tokens", testExport},
		{"entries move with their tokens", testImport},
		{"imports bring what is newer", testMerge},
		{"what is owned moves with its owner", testMoveOwned},
		{"imports under another key are refused", testOtherKey},
		{"imports of what was altered are refused", testAltered},
		{"names that begin alike", testNamesThatBeginAlike},
		{"operators who leave", testOperatorLeaves},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, find) })
	}
}

func openAt(t *testing.T, p Place) *shown {
	s := &shown{T: t, Contents: p.Open(t)}
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// shown is a store with words of the tests.
type shown struct {
	*testing.T
	Contents
}

func (s *shown) put(context, key, value string, tokens scope.Tokens) server.Entry {
	s.Helper()
	n := scope.MustName(context, "hostsall", key)
	_, err := s.Apply(s.Context(), server.Change{Name: n, Tokens: tokens, Value: value, MayCreate: true})
	require.NoError(s, err)
	return s.entry(n, tokens)
}

func (s *shown) entry(n scope.Name, tokens scope.Tokens) server.Entry {
	s.Helper()
	e, found, err := s.Read(s.Context(), n, tokens.Read)
	require.NoError(s, err)
	require.True(s, found, "%s is not there", n)
	return e
}

// tick waits for the time after that of an entry, to the millisecond.
func tick(t *testing.T, e server.Entry) {
	t.Helper()
	require.Eventually(t, func() bool { return time.Now().UnixMilli() > e.Modified.UnixMilli() }, 10*time.Second, time.Millisecond)
}

func (s *shown) groups() []contents.Group {
	s.Helper()
	groups, err := s.Groups(s.Context())
	require.NoError(s, err)
	return groups
}

func testGroups(t *testing.T, find func(testing.TB) Place) {
	s := openAt(t, find(t))
	require.Empty(t, s.groups())
	mine, others := scope.NewTokens(), scope.NewTokens()
	first := s.put("long name of a slice", "a", "123", mine)
	tick(t, first)
	last := s.put("long name of a slice", "b", "12345", mine)
	alone := s.put("long name of a slice", "a", "1", others)
	other := s.put("b", "a", "1234", mine)
	groups := s.groups()
	require.Len(t, groups, 3)
	require.Equal(t, contents.Group{Context: other.Name.Context, Read: groups[0].Read, Entries: 1, Bytes: 4, Oldest: other.Modified, Newest: other.Modified}, groups[0])
	want := []contents.Group{
		{Context: first.Name.Context, Entries: 2, Bytes: 8, Oldest: first.Modified, Newest: last.Modified},
		{Context: first.Name.Context, Entries: 1, Bytes: 1, Oldest: alone.Modified, Newest: alone.Modified},
	}
	require.Less(t, groups[1].Read, groups[2].Read)
	for i := range groups {
		require.Len(t, groups[i].Read, 8)
		groups[i].Read = ""
	}
	require.ElementsMatch(t, want, groups[1:])
}

func testOperatorLeaves(t *testing.T, find func(testing.TB) Place) {
	s, to := openAt(t, find(t)), find(t)
	e := s.put("slice", "vm", "x", scope.NewTokens())
	f := s.export()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Groups(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Purge(ctx, e.Name.Context, time.Now())
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Export(ctx, new(bytes.Buffer)), context.Canceled)
	_, err = to.Import(ctx, f)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, s.groups(), 1)
	require.NoError(t, s.Close())
	for _, err := range []error{s.Export(t.Context(), new(bytes.Buffer)), second(s.Groups(t.Context())), second(s.Purge(t.Context(), e.Name.Context, time.Now()))} {
		require.ErrorIs(t, err, server.ErrClosed)
	}
}

func second[T any](_ T, err error) error { return err }
