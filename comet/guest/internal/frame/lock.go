package frame

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

const (
	lockFile = "lock"
	slowLock = ".lock-"  // with the name of a slow module, which others do not wait for; no instance has such a name
	stayLock = ".locked" // of those who must not lose the state under them, who do not wait for each other
)

// IsLock tells locks from what else is in StateFolder.
func IsLock(name string) bool {
	return name == lockFile || name == stayLock || strings.HasPrefix(name, slowLock)
}

// lock keeps other guests away from what a lock stands for.
func (m *Machine) lock(ctx context.Context, name string) (unlock func() error, err error) {
	unlock, err = m.locked(name, func(root *os.Root, name string) (func() error, error) { return atomicfile.LockBelow(ctx, root, name) })
	if err != nil {
		return nil, fmt.Errorf("wait for other guests on this machine: %w", err)
	}
	return unlock, nil
}

// Stay keeps LockAll waiting, and nobody else. Where somebody has all locked already it does not wait, since what the caller knows of the
// state may be true no more then: the error matches atomicfile.ErrHeld, as it does where Cleared says something else than before.
func (m *Machine) Stay(cleared int64) (unlock func() error, err error) {
	if unlock, err = m.locked(stayLock, atomicfile.ShareBelow); err != nil {
		return nil, err
	}
	if m.Cleared() != cleared {
		return nil, errors.Join(atomicfile.ErrHeld, unlock())
	}
	return unlock, nil
}

// Cleared returns how often all was locked, and given free again; 0 to those who may not know. It writes nothing.
func (m *Machine) Cleared() (times int64) {
	info, err := m.root.Lstat(path.Join(StateFolder, stayLock))
	if err != nil {
		return 0
	}
	return info.Size() // a byte for each
}

// count makes Cleared say one more.
func (m *Machine) count() error {
	f, err := m.root.OpenFile(path.Join(StateFolder, stayLock), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n")
	return errors.Join(err, f.Close())
}

// locked takes a lock in the state folder, and makes that where it is missing.
func (m *Machine) locked(name string, lock func(*os.Root, string) (func() error, error)) (unlock func() error, err error) {
	unlock, err = lock(m.root, path.Join(StateFolder, name))
	if errors.Is(err, fs.ErrNotExist) {
		if err := m.MakeFolder(StateFolder, 0o700); err != nil {
			return nil, fmt.Errorf("state folder: %w", err)
		}
		unlock, err = lock(m.root, path.Join(StateFolder, name))
	}
	return unlock, err
}

// LockAll keeps all other guests away from this machine and from the state, and waits for those that are at it, slow modules included.
func (m *Machine) LockAll(ctx context.Context) (unlock func() error, err error) {
	var unlocks []func() error
	unlock = func() (err error) {
		for _, one := range unlocks {
			err = errors.Join(err, one())
		}
		return err
	}
	names := []string{stayLock}
	entries, err := fs.ReadDir(m.root.FS(), StateFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), slowLock) {
			names = append(names, e.Name())
		}
	}
	for _, name := range append(names, lockFile) {
		one, err := m.lock(ctx, name)
		if err != nil {
			return nil, errors.Join(err, unlock())
		}
		unlocks = append(unlocks, one)
	}
	unlocks = slices.Insert(unlocks, 0, m.count)
	return unlock, nil
}
