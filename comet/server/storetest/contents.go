package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
func (s *shown) export() *contents.File {
	s.Helper()
	path := filepath.Join(s.TempDir(), "export")
	var b bytes.Buffer
	require.NoError(s, s.Export(s.Context(), &b))
	require.NoError(s, os.WriteFile(path, b.Bytes(), 0o600))
	return openExport(s.T, path)
}

func openExport(t *testing.T, path string) *contents.File {
	t.Helper()
	f, err := contents.Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// Stores are read in parts. No part ends between a name and those that begin with it, whatever comes behind.
func testNamesThatBeginAlike(t *testing.T, find func(testing.TB) Place) {
	s := openAt(t, find(t))
	tokens := scope.NewTokens()
	var last server.Entry
	n := 0
	for i := range 40 {
		for _, behind := range []string{"", "-0", " 1", ",2", ".3", "~4"} {
			last = s.put("slice", fmt.Sprintf("vm%02d%s", i, behind), "{}", tokens)
			n++
		}
	}
	require.Equal(t, n, s.export().Entries)
	groups := s.groups()
	require.Len(t, groups, 1)
	require.Equal(t, n, groups[0].Entries)
	require.Equal(t, n, s.purge(last, last.Modified.Add(time.Hour)))
	require.Zero(t, s.export().Entries)
}

func testExport(t *testing.T, find func(testing.TB) Place) {
	s := openAt(t, find(t))
	require.Zero(t, s.export().Entries)
	tokens := scope.NewTokens()
	want := map[string]server.Entry{}
	for i, value := range []string{"{}", "", "not UTF-8: \xff\x00", strings.Repeat("<&>\n", 10000), `"`} {
		e := s.put("slice", fmt.Sprint("vm-", i), value, tokens)
		want[e.Name.String()] = e
	}
	gone := s.put("slice", "gone", "Removed", tokens)
	_, err := s.Apply(t.Context(), server.Change{Name: gone.Name, Tokens: tokens, Delete: true})
	require.NoError(t, err)
	f := s.export()
	require.Equal(t, len(want), f.Entries)
	require.Equal(t, s.Identity(), f.Store)
	for r, err := range f.All() {
		require.NoError(t, err)
		e := want[r.Name.String()]
		require.Equal(t, e.Value, r.Value)
		require.Equal(t, e.Modified, r.Modified)
		delete(want, r.Name.String())
	}
	require.Empty(t, want)
	var b bytes.Buffer
	require.NoError(t, s.Export(t.Context(), &b))
	for _, secret := range []string{tokens.Read.Reveal(), tokens.Write.Reveal(), "Removed"} {
		require.NotContains(t, b.String(), secret)
	}
	for line := range strings.Lines(b.String()) {
		require.True(t, json.Valid([]byte(line)))
	}
}

func testImport(t *testing.T, find func(testing.TB) Place) {
	from := openAt(t, find(t))
	tokens := scope.NewTokens()
	var entries []server.Entry
	for i := range 130 {
		entries = append(entries, from.put(fmt.Sprint("slice-", i%3), fmt.Sprint("vm-", i), strings.Repeat("x", i*1000), tokens))
	}
	f := from.export()
	to := find(t)
	did, err := to.Import(t.Context(), f)
	require.NoError(t, err)
	require.Equal(t, contents.Imported{Entries: 130, Added: 130, Made: true}, did)
	s := &shown{T: t, Contents: to.Open(t)}
	require.NotEqual(t, from.Identity(), s.Identity())
	identity := s.Identity()
	require.Equal(t, from.groups(), s.groups())
	for _, e := range entries {
		moved := s.entry(e.Name, tokens)
		require.Equal(t, e.Value, moved.Value)
		require.Equal(t, e.Modified, moved.Modified)
	}
	c, err := s.Since(t.Context(), entries[0].Name.Context, tokens.Read, 0)
	require.NoError(t, err)
	require.Len(t, c.Entries, 44)
	_, err = s.Apply(t.Context(), server.Change{Name: entries[0].Name, Tokens: scope.Tokens{Read: tokens.Read, Write: tokens.Read}, Value: "x"})
	require.ErrorIs(t, err, server.ErrWriteToken)
	_, err = s.Apply(t.Context(), server.Change{Name: entries[0].Name, Tokens: tokens, Value: "changed"})
	require.NoError(t, err)
	require.NoError(t, s.Close())

	did, err = to.Import(t.Context(), f)
	require.NoError(t, err)
	require.Equal(t, contents.Imported{Entries: 130, Kept: 130}, did)
	s = openAt(t, to)
	require.Equal(t, identity, s.Identity())
	require.Equal(t, "changed", s.entry(entries[0].Name, tokens).Value)
}

func testMerge(t *testing.T, find func(testing.TB) Place) {
	from, to, tokens := openAt(t, find(t)), find(t), scope.NewTokens()
	same := from.put("slice", "same", "old", tokens)
	newerHere, newerThere := from.put("slice", "newer here", "old", tokens), from.put("slice", "newer there", "old", tokens)
	removed := from.put("slice", "removed there", "old", tokens)
	_, err := to.Import(t.Context(), from.export())
	require.NoError(t, err)

	tick(t, removed)
	from.put("slice", "newer here", "new", tokens)
	from.put("slice", "only here", "new", tokens)
	s := &shown{T: t, Contents: to.Open(t)}
	s.put("slice", "newer there", "new", tokens)
	s.put("slice", "only there", "new", tokens)
	_, err = s.Apply(t.Context(), server.Change{Name: removed.Name, Tokens: tokens, Delete: true})
	require.NoError(t, err)
	before, err := s.List(t.Context(), same.Name.Context, tokens.Read, scope.Family{})
	require.NoError(t, err)
	require.NoError(t, s.Close())

	did, err := to.Import(t.Context(), from.export())
	require.NoError(t, err)
	want, present := contents.Imported{Entries: 5, Added: 2, Replaced: 1, Kept: 2}, []string{"newer here", "only here", "removed there"}
	if to.KeepsRemovals {
		want, present = contents.Imported{Entries: 5, Added: 1, Replaced: 1, Kept: 3}, present[:2]
	}
	require.Equal(t, want, did)
	s = openAt(t, to)
	c, err := s.Since(t.Context(), same.Name.Context, tokens.Read, before.Revision)
	require.NoError(t, err)
	var changed []string
	for _, e := range c.Entries {
		changed = append(changed, e.Name.Key.String())
	}
	require.Equal(t, present, changed)
	require.Empty(t, c.Removed)
	require.Equal(t, "new", s.entry(newerHere.Name, tokens).Value)
	require.Equal(t, "new", s.entry(newerThere.Name, tokens).Value)
	require.Equal(t, "old", s.entry(same.Name, tokens).Value)
	l, err := s.List(t.Context(), same.Name.Context, tokens.Read, scope.Family{})
	require.NoError(t, err)
	require.Len(t, l.Entries, len(present)+3)
}

func testMoveOwned(t *testing.T, find func(testing.TB) Place) {
	from, to, tokens := openAt(t, find(t)), find(t), scope.NewTokens()
	const she, he = "CN=she,O=\"Site\"", "CN=he,O=<Säte>"
	put := func(s *shown, key, value, owner string) {
		n := scope.MustName("slice", "hostsall", key)
		_, err := s.Apply(t.Context(), server.Change{Name: n, Tokens: tokens, Value: value, Owner: owner, MayCreate: true})
		require.NoError(t, err)
	}
	remove := func(s *shown, key, owner string) error {
		_, err := s.Apply(t.Context(), server.Change{Name: scope.MustName("slice", "hostsall", key), Tokens: tokens, Delete: true, Owner: owner})
		return err
	}
	put(from, "hers", "1", she)
	put(from, "his", "1", he)
	put(from, "nobody's", "1", "")
	owners := func(f *contents.File) map[string]string {
		all := map[string]string{}
		for e, err := range f.All() {
			require.NoError(t, err)
			all[e.Name.Key.String()] = e.Owner
		}
		return all
	}
	f := from.export()
	require.Equal(t, map[string]string{"hers": she, "his": he, "nobody's": ""}, owners(f))
	_, err := to.Import(t.Context(), f)
	require.NoError(t, err)
	s := &shown{T: t, Contents: to.Open(t)}
	require.Equal(t, owners(f), owners(s.export()))
	require.ErrorIs(t, remove(s, "hers", he), server.ErrOwner)
	require.NoError(t, remove(s, "nobody's", he))
	require.NoError(t, remove(s, "his", he))
	require.NoError(t, s.Close())

	tick(t, from.entry(scope.MustName("slice", "hostsall", "hers"), tokens))
	put(from, "hers", "2", he) // who changes it does not own it
	_, err = to.Import(t.Context(), from.export())
	require.NoError(t, err)
	s = openAt(t, to)
	want := owners(f)
	if to.KeepsRemovals {
		want = map[string]string{"hers": she}
	}
	require.Equal(t, want, owners(s.export()))
	require.ErrorIs(t, remove(s, "hers", he), server.ErrOwner)
	require.NoError(t, remove(s, "hers", she))
}

func testOtherKey(t *testing.T, find func(testing.TB) Place) {
	from, to := openAt(t, find(t)), find(t)
	from.put("slice", "vm", "x", scope.NewTokens())
	s, tokens := &shown{T: t, Contents: to.Open(t)}, scope.NewTokens()
	mine := s.put("slice", "vm", "mine", tokens)
	require.NoError(t, s.Close())
	did, err := to.Import(t.Context(), from.export())
	require.ErrorIs(t, err, contents.ErrOtherKey)
	require.NotContains(t, err.Error(), "\n")
	require.Zero(t, did)
	s = openAt(t, to)
	require.Equal(t, mine, s.entry(mine.Name, tokens))
	require.Len(t, s.groups(), 1)
}

// An export that is altered behind the back of an import is found out by it.
func testAltered(t *testing.T, find func(testing.TB) Place) {
	from, to := openAt(t, find(t)), find(t)
	for i := range 100 {
		from.put("slice", fmt.Sprint("vm-", i), "value", scope.NewTokens())
	}
	var b bytes.Buffer
	require.NoError(t, from.Export(t.Context(), &b))
	path := filepath.Join(t.TempDir(), "export")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	f := openExport(t, path)
	altered := bytes.Clone(b.Bytes())
	copy(altered[bytes.LastIndex(altered, []byte(`"value"}`)):], `"vALUE"}`)
	require.NoError(t, os.WriteFile(path, altered, 0o600))
	_, err := to.Import(t.Context(), f)
	require.ErrorIs(t, err, contents.ErrDamaged)
	require.NotContains(t, err.Error(), "\n")

	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	did, err := to.Import(t.Context(), openExport(t, path))
	require.NoError(t, err)
	require.Equal(t, contents.Imported{Entries: 100, Added: 100, Made: true}, did)
	require.Len(t, openAt(t, to).groups(), 100)
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
