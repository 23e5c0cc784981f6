package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const lockPoll = 50 * time.Millisecond // there is no waiting for flock that a context can end

// Lock takes the lock that the file at path stands for, waiting for whoever has it until the context ends; the error then matches the
// context's. The file is made, 0600, where it is missing, and is never removed. It must not be a file that is itself replaced: locks go
// with the file, not with its name. A lock excludes all other calls, of this process too, and ends with the process that holds it. It
// does not exclude programs that lock with fcntl, such as those of shadow-utils.
//
// The function it returns gives the lock up; further calls of it do nothing and return the same.
func Lock(ctx context.Context, path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, lockFlags, 0o600)
	return lock(ctx, path, f, err)
}

// LockBelow is Lock for a file called name, a path below root. Nothing outside the root is opened or made, whatever links there are.
func LockBelow(ctx context.Context, root *os.Root, name string) (unlock func() error, err error) {
	f, err := root.OpenFile(name, lockFlags, 0o600)
	return lock(ctx, filepath.Join(root.Name(), name), f, err)
}

// ErrHeld says that somebody else has a lock.
var ErrHeld = errors.New("held by another process")

// ShareBelow is LockBelow for those who may have the lock at the same time as each other, but not together with one who has it by LockBelow.
// It does not wait for that one: the error then matches ErrHeld.
func ShareBelow(root *os.Root, name string) (unlock func() error, err error) {
	path := filepath.Join(root.Name(), name)
	f, err := root.OpenFile(name, lockFlags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, plain(err))
	}
	if err := flock(f, unix.LOCK_SH); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrHeld
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return unlocks(f), nil
}

// unlocks returns what gives up the lock of f, also for a child of ours that has f open until it becomes another program.
func unlocks(f *os.File) func() error {
	return sync.OnceValue(func() error { return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close()) })
}

const lockFlags = os.O_RDWR | os.O_CREATE | unix.O_NOFOLLOW | unix.O_NONBLOCK

// lock takes the lock of what was opened.
func lock(ctx context.Context, path string, f *os.File, err error) (unlock func() error, _ error) {
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, plain(err))
	}
	if err := waitForLock(ctx, f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return unlocks(f), nil
}

func waitForLock(ctx context.Context, f *os.File) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		err := flock(f, unix.LOCK_EX)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrHeld, ctx.Err())
		case <-ticker.C:
		}
	}
}

// flock locks the whole file, LOCK_SH or LOCK_EX, without waiting: EWOULDBLOCK where somebody else has it.
func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
