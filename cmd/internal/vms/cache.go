package vms

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	unusedFor = 30 * 24 * time.Hour // after which what is kept goes
	lockEvery = 100 * time.Millisecond
)

// kept returns the folder of that name in the cache, and makes it where it is not there: whole or not at all, and once, however many
// processes want it.
func kept(ctx context.Context, cache, name string, make func(dir string) error) (string, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	dir := filepath.Join(cache, name)
	now := time.Now()
	switch err := os.Chtimes(dir, now, now); {
	case err == nil:
		return dir, nil
	case !errors.Is(err, os.ErrNotExist):
		return "", err
	}
	if err := forget(cache, now.Add(-unusedFor)); err != nil {
		return "", err
	}
	making, err := os.MkdirTemp(cache, "making-")
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.Chmod(making, 0o755), make(making)); err != nil {
		return "", errors.Join(err, os.RemoveAll(making))
	}
	return dir, os.Rename(making, dir)
}

// forget removes what was not used since then, and what was left half made.
func forget(cache string, since time.Time) error {
	entries, err := os.ReadDir(cache)
	for _, e := range entries {
		half, _ := filepath.Match("making-*", e.Name())
		if info, statErr := e.Info(); e.IsDir() && statErr == nil && (half || info.ModTime().Before(since)) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(cache, e.Name())))
		}
	}
	return err
}

// lock waits until no other process has the lock.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockEvery)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for %s: %w", path, context.Cause(ctx)), f.Close())
		}
	}
}
