package storetest

import (
	"bytes"
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
