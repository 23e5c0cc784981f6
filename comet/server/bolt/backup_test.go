package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

func backup(t testing.TB, s *bolt.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, s.Backup(t.Context(), &b))
	return b.Bytes()
}

func TestBackupIsOneMomentOfAStoreInUse(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "comet.db"))
	put(t, s, "first", "0")
	put(t, s, "second", "0")
	var writing sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	writing.Go(func() {
		for i := 1; ctx.Err() == nil; i++ {
			var both []server.Change
			for _, key := range []string{"first", "second"} {
				n := scope.MustName("slice", "hostsall", key)
				both = append(both, server.Change{Name: n, Tokens: tokens, Value: fmt.Sprint(i) + strings.Repeat(" ", i%5000)})
			}
			_, err := s.Apply(context.Background(), both...)
			assert.NoError(t, err)
		}
	})
	for range 20 {
		taken := backup(t, s)
		path := filepath.Join(t.TempDir(), "comet.db")
		b, identity, err := bolt.Restore(t.Context(), path, bytes.NewReader(taken), false)
		require.NoError(t, err)
		require.Equal(t, s.Identity(), b.Store)
		restored := open(t, path)
		require.Equal(t, identity, restored.Identity())
		require.NotEqual(t, s.Identity(), identity)
		l, err := restored.List(t.Context(), name.Context, tokens.Read, name.Family)
		require.NoError(t, err)
		require.Len(t, l.Entries, 2)
		require.Equal(t, l.Entries[0].Value, l.Entries[1].Value)
		require.Equal(t, b.Revision, l.Revision)
		put(t, restored, "first", "after") // with the tokens of before
	}
	stop()
	writing.Wait()
}

func TestRestoreReplacesOnlyWhenTold(t *testing.T) {
	from := open(t, filepath.Join(t.TempDir(), "comet.db"))
	put(t, from, "vm", "kept")
	taken := backup(t, from)

	dir := t.TempDir()
	path := filepath.Join(dir, "comet.db")
	s, err := bolt.Open(path)
	require.NoError(t, err)
	put(t, s, "vm", "there")
	restore := func(replace bool) error {
		_, _, err := bolt.Restore(t.Context(), path, bytes.NewReader(taken), replace)
		return err
	}
	require.ErrorIs(t, restore(true), bolt.ErrInUse)
	requireValue(t, s, "vm", "there")
	require.NoError(t, s.Close())
	require.ErrorIs(t, restore(false), bolt.ErrExists)
	require.NoError(t, restore(true))
	requireValue(t, open(t, path), "vm", "kept")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	requireAlone(t, dir)
}

func requireAlone(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
}

// What a damaged store holds nobody can read, so that it may be replaced; and a link stays a link.
func TestRestoreReplacesDamagedStoresAndFollowsLinks(t *testing.T) {
	from := open(t, filepath.Join(t.TempDir(), "comet.db"))
	put(t, from, "vm", "kept")
	taken := backup(t, from)
	path, link := filepath.Join(t.TempDir(), "comet.db"), filepath.Join(t.TempDir(), "comet.db")
	require.NoError(t, os.WriteFile(path, []byte("damaged"), 0o600))
	require.NoError(t, os.Symlink(path, link))
	_, _, err := bolt.Restore(t.Context(), link, bytes.NewReader(taken), true)
	require.NoError(t, err)
	requireValue(t, open(t, path), "vm", "kept")
	target, err := os.Readlink(link)
	require.NoError(t, err)
	require.Equal(t, path, target)
}

func TestBackupsThatAreNotWholeChangeNothing(t *testing.T) {
	from := open(t, filepath.Join(t.TempDir(), "comet.db"))
	put(t, from, "vm", strings.Repeat("Planted", 1000))
	taken := backup(t, from)
	dir := t.TempDir()
	path := filepath.Join(dir, "comet.db")
	s, err := bolt.Open(path)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	before := content(t, path)
	refuse := func(backup []byte, reason error) {
		t.Helper()
		_, _, err := bolt.Restore(t.Context(), path, bytes.NewReader(backup), true)
		require.ErrorIs(t, err, reason)
		require.ErrorContains(t, err, path)
		require.NotContains(t, err.Error(), "\n")
		require.NotContains(t, err.Error(), "Planted")
		require.True(t, bytes.Equal(before, content(t, path)), "the store was changed")
		requireAlone(t, dir)
		_, err = bolt.CheckBackup(bytes.NewReader(backup))
		require.ErrorIs(t, err, reason)
	}
	head := bytes.IndexByte(taken, '\n') + 1
	for _, n := range []int{0, head - 1, head, head + 5000, len(taken) - 80, len(taken) - 1} {
		refuse(taken[:n], bolt.ErrBackupDamaged)
	}
	for _, i := range []int{40, head + 10, head + 9000, len(taken) - 10, len(taken) - 1} {
		altered := bytes.Clone(taken)
		altered[i] ^= 1
		refuse(altered, bolt.ErrBackupDamaged)
	}
	refuse(append(bytes.Clone(taken), '\n'), bolt.ErrBackupDamaged)
	refuse(bytes.Replace(taken, []byte("comet-backup/1"), []byte("comet-backup/2"), 1), bolt.ErrBackupFormat)
	refuse(before, bolt.ErrNotBackup)
	refuse([]byte("text\n"), bolt.ErrNotBackup)
	refuse(bytes.Repeat([]byte("{"), 100000), bolt.ErrNotBackup)
}

func TestRestoreEndsWithItsContext(t *testing.T) {
	from := open(t, filepath.Join(t.TempDir(), "comet.db"))
	taken := backup(t, from)
	ctx, stop := context.WithCancelCause(t.Context())
	gone := errors.New("the operator left")
	dir := t.TempDir()
	half := io.MultiReader(bytes.NewReader(taken[:5000]), readFunc(func([]byte) (int, error) { stop(gone); return 0, nil }), bytes.NewReader(taken[5000:]))
	_, _, err := bolt.Restore(ctx, filepath.Join(dir, "comet.db"), half, false)
	require.ErrorIs(t, err, gone)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files)
	require.ErrorIs(t, from.Backup(ctx, io.Discard), gone)
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) {
	n, _ := f(b)
	return n, io.EOF
}

// A head that waits for the lock of a store that is being restored opens the restored one.
func TestWhoWaitsForARestoreGetsTheNewStore(t *testing.T) {
	from := open(t, filepath.Join(t.TempDir(), "comet.db"))
	put(t, from, "vm", "restored")
	taken := backup(t, from)
	path := filepath.Join(t.TempDir(), "comet.db")
	s, err := bolt.Open(path)
	require.NoError(t, err)
	put(t, s, "vm", "old")
	require.NoError(t, s.Close())

	opened := make(chan *bolt.Store)
	wait := readFunc(func([]byte) (int, error) { // the store is locked now
		go func() {
			s, err := bolt.Open(path)
			assert.NoError(t, err)
			opened <- s
		}()
		return 0, nil
	})
	_, identity, err := bolt.Restore(t.Context(), path, io.MultiReader(wait, bytes.NewReader(taken)), true)
	require.NoError(t, err)
	waited := <-opened
	require.Equal(t, identity, waited.Identity())
	requireValue(t, waited, "vm", "restored")
	require.NoError(t, waited.Close())
}
