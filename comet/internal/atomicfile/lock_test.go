package atomicfile_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := atomicfile.Lock(t.Context(), path)
	require.NoError(t, err)

	waiting, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = atomicfile.Lock(waiting, path)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, path)

	require.NoError(t, unlock())
	require.NoError(t, unlock(), "once more")
	unlock, err = atomicfile.Lock(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, unlock())

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

func TestLockIsHandedOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside, entered atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			unlock, err := atomicfile.Lock(t.Context(), path)
			if !assert.NoError(t, err) {
				return
			}
			assert.EqualValues(t, 1, inside.Add(1))
			entered.Add(1)
			inside.Add(-1)
			assert.NoError(t, unlock())
		})
	}
	all.Wait()
	require.EqualValues(t, 4, entered.Load())
}

func TestLockFails(t *testing.T) {
	dir := t.TempDir()
	_, err := atomicfile.Lock(t.Context(), filepath.Join(dir, "missing", "lock"))
	require.ErrorIs(t, err, os.ErrNotExist)

	require.NoError(t, os.Symlink("elsewhere", filepath.Join(dir, "link")))
	_, err = atomicfile.Lock(t.Context(), filepath.Join(dir, "link"))
	require.Error(t, err)
	require.NoFileExists(t, filepath.Join(dir, "elsewhere"))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = atomicfile.Lock(ended, filepath.Join(dir, "lock"))
	require.ErrorIs(t, err, context.Canceled)
}

// Below a root a lock is the same, and no link leads out of it.
func TestLockBelow(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	unlock, err := atomicfile.LockBelow(t.Context(), root, "lock")
	require.NoError(t, err)
	waiting, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = atomicfile.Lock(waiting, filepath.Join(dir, "lock"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, unlock())

	require.NoError(t, os.Symlink(filepath.Join(outside, "lock"), filepath.Join(dir, "link")))
	_, err = atomicfile.LockBelow(t.Context(), root, "link")
	require.ErrorContains(t, err, filepath.Join(dir, "link"))
	assert.NoFileExists(t, filepath.Join(outside, "lock"))
}

func TestSharedLocks(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer root.Close()
	var unlocks []func() error
	for range 2 {
		unlock, err := atomicfile.ShareBelow(root, "lock")
		require.NoError(t, err)
		unlocks = append(unlocks, unlock)
	}
	for _, unlock := range unlocks {
		_, err = atomicfile.LockBelow(moment(t), root, "lock")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, unlock())
	}
	unlock, err := atomicfile.LockBelow(t.Context(), root, "lock")
	require.NoError(t, err)
	_, err = atomicfile.ShareBelow(root, "lock")
	require.ErrorIs(t, err, atomicfile.ErrHeld)
	require.NoError(t, unlock())
	_, err = atomicfile.ShareBelow(root, "missing/lock")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func moment(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}
