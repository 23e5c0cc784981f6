package bolt_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/scope"
)

// An export from before a removal does not undo it, not even in a store in which nothing else is; one from after it does.
func TestImportsKeepRemovals(t *testing.T) {
	dir := t.TempDir()
	from, path := open(t, filepath.Join(dir, "from.db")), filepath.Join(dir, "comet.db")
	put(t, from, "vm", "one")
	importAll := func() contents.Imported {
		var b bytes.Buffer
		require.NoError(t, from.Export(t.Context(), &b))
		export := filepath.Join(t.TempDir(), "export")
		require.NoError(t, os.WriteFile(export, b.Bytes(), 0o600))
		f, err := contents.Open(export, nil)
		require.NoError(t, err)
		defer f.Close()
		did, err := bolt.Import(t.Context(), path, f)
		require.NoError(t, err)
		return did
	}
	require.Equal(t, contents.Imported{Entries: 1, Added: 1, Made: true}, importAll())
	to, err := bolt.Open(path)
	require.NoError(t, err)
	_, err = to.Apply(t.Context(), server.Change{Name: scope.MustName("slice", "hostsall", "vm"), Tokens: tokens, Delete: true})
	require.NoError(t, err)
	require.NoError(t, to.Close())

	require.Equal(t, contents.Imported{Entries: 1, Kept: 1}, importAll())
	long := time.Now().Add(-time.Hour) // since when nothing in the file was changed
	require.NoError(t, os.Chtimes(path, long, long))
	put(t, from, "vm", "two")
	require.Equal(t, contents.Imported{Entries: 1, Added: 1}, importAll())
	to = open(t, path)
	requireValue(t, to, "vm", "two")
	require.Empty(t, to.Removed(name.Context, tokens.Read))
}
