package bolt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/comet/server/storetest"
	"github.com/renci-nrig/comet-go/scope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	tokens = scope.Tokens{Read: scope.MustToken("Read-Token-0001"), Write: scope.MustToken("Write-Token-0001")}
	name   = scope.MustName("slice", "hostsall", "vm")
)

func open(t testing.TB, path string) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func put(t testing.TB, s server.Store, key, value string) server.Result {
	t.Helper()
	n := scope.MustName("slice", "hostsall", key)
	results, err := s.Apply(context.Background(), server.Change{Name: n, Tokens: tokens, Value: value, MayCreate: true})
	require.NoError(t, err)
	return results[0]
}

func requireValue(t testing.TB, s server.Store, key, value string) {
	t.Helper()
	e, found, err := s.Read(context.Background(), scope.MustName("slice", "hostsall", key), tokens.Read)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, value, e.Value)
}

func TestStoreDoesWhatStoresDo(t *testing.T) {
	storetest.Run(t, func(t testing.TB) server.Store {
		s, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
		require.NoError(t, err)
		return s
	})
}

func TestOperatorsSeeWhatTheyShould(t *testing.T) {
	storetest.RunContents(t, func(t testing.TB) storetest.Place {
		path := filepath.Join(t.TempDir(), "comet.db")
		return storetest.Place{
			KeepsRemovals: true,
			Open: func(t testing.TB) storetest.Contents {
				s, err := bolt.Open(path)
				require.NoError(t, err)
				return s
			},
			Import: func(ctx context.Context, f *contents.File) (contents.Imported, error) {
				return bolt.Import(ctx, path, f)
			},
		}
	})
}

func TestStoreIsTheSameAfterOpeningAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "comet.db")
	s, err := bolt.Open(path)
	require.NoError(t, err)
	identity := s.Identity()
	put(t, s, "kept", "one")
	put(t, s, "removed", "one")
	_, err = s.Apply(t.Context(), server.Change{Name: scope.MustName("slice", "hostsall", "removed"), Tokens: tokens, Delete: true})
	require.NoError(t, err)
	require.NoError(t, s.Close())

	s = open(t, path)
	require.Equal(t, identity, s.Identity())
	requireValue(t, s, "kept", "one")
	l, err := s.List(t.Context(), name.Context, tokens.Read, name.Family)
	require.NoError(t, err)
	require.Len(t, l.Entries, 1)
	require.EqualValues(t, 3, l.Revision)
	require.EqualValues(t, 4, put(t, s, "kept", "two").Revision)
	_, err = s.Apply(t.Context(), server.Change{Name: scope.MustName("slice", "hostsall", "kept"), Tokens: scope.Tokens{Read: tokens.Read, Write: tokens.Read}, Value: "x"})
	require.ErrorIs(t, err, server.ErrWriteToken)
}

func TestStoresHaveIdentitiesOfTheirOwn(t *testing.T) {
	a := open(t, filepath.Join(t.TempDir(), "comet.db"))
	b := open(t, filepath.Join(t.TempDir(), "comet.db"))
	require.NotEqual(t, a.Identity(), b.Identity())
}

func TestFileIsPrivateAndAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "comet.db")
	put(t, open(t, path), "vm", "one")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
}

func TestFileHoldsNoTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "comet.db")
	s := open(t, path)
	put(t, s, "vm", "a value that the file holds")
	_, err := s.Apply(t.Context(), server.Change{Name: name, Tokens: tokens, Delete: true})
	require.NoError(t, err)
	put(t, s, "vm", "another value that the file holds")
	require.NoError(t, s.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(b), "another value that the file holds")
	require.NotContains(t, string(b), tokens.Read.Reveal())
	require.NotContains(t, string(b), tokens.Write.Reveal())
}

func TestStorePrintsNothingOfItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "comet.db")
	s := open(t, path)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		require.Equal(t, "bolt.Store("+path+")", fmt.Sprintf(verb, s))
	}
}

// After a failed write nothing is known of the file, so nothing more may be acknowledged.
func TestDiskThatFailsEndsChangesNotReads(t *testing.T) {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	put(t, s, "vm", "one")
	s.BreakDisk()
	for range 2 {
		_, err := s.Apply(t.Context(), server.Change{Name: name, Tokens: tokens, Value: "two"})
		require.ErrorIs(t, err, server.ErrBroken)
		require.ErrorIs(t, err, os.ErrClosed)
		require.NotContains(t, err.Error(), "\n")
	}
	requireValue(t, s, "vm", "one")
	s.Close() // its error is of no interest: the file was closed behind its back
}

// What the layout is made for besides reading: what changed or went away since a revision is one range of one table.
func TestChangesSinceARevision(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "comet.db"))
	remove := func(key string) {
		_, err := s.Apply(t.Context(), server.Change{Name: scope.MustName("slice", "hostsall", key), Tokens: tokens, Delete: true})
		require.NoError(t, err)
	}
	put(t, s, "a", "1")
	put(t, s, "b", "1")
	put(t, s, "c", "1")
	put(t, s, "a", "2")
	remove("b")
	require.Equal(t, []string{"3 put hostsall/c", "4 put hostsall/a", "5 removed hostsall/b"}, s.Changes(name.Context, tokens.Read, 0))
	require.Equal(t, []string{"5 removed hostsall/b"}, s.Changes(name.Context, tokens.Read, 4))
	require.Equal(t, []string{"hostsall/b 5"}, s.Removed(name.Context, tokens.Read))

	put(t, s, "b", "2")
	remove("c")
	put(t, s, "a", "2") // the same value again
	require.Equal(t, []string{"4 put hostsall/a", "6 put hostsall/b", "7 removed hostsall/c"}, s.Changes(name.Context, tokens.Read, 0))
	require.Equal(t, []string{"hostsall/c 7"}, s.Removed(name.Context, tokens.Read))
	require.Empty(t, s.Changes(name.Context, tokens.Write, 0))
}

// Who waited while the head was away learns from the next one what went.
func TestSinceOutlivesTheHead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "comet.db")
	s, err := bolt.Open(path)
	require.NoError(t, err)
	put(t, s, "kept", "1")
	seen := put(t, s, "removed", "1").Revision
	_, err = s.Apply(t.Context(), server.Change{Name: scope.MustName("slice", "hostsall", "removed"), Tokens: tokens, Delete: true})
	require.NoError(t, err)
	require.NoError(t, s.Close())

	s = open(t, path)
	c, err := s.Since(t.Context(), name.Context, tokens.Read, seen)
	require.NoError(t, err)
	require.Equal(t, server.Changes{Removed: []scope.Name{scope.MustName("slice", "hostsall", "removed")}, Revision: seen + 1}, c)
}
