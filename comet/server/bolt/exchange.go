package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrExists is why Restore leaves a store alone.
var ErrExists = errors.New("is there already")

// errUnchanged, from build, ends an exchange without one.
var errUnchanged = errors.New("nothing to exchange")

// exchange gives path a new file, which build makes beside it: whoever looks, at whatever moment the machine stops, finds the old one
// or the new. old is nil where there is none. It must not be in use, and no store opens it until the new one has its name; who waits
// for it then gets the new one.
func exchange(path string, build func(old *os.File, beside string) error) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // of a link, which stays
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cannot be made: %w", err)
	}
	defer folder.Close()
	if err := lock(folder); err != nil { // keeps exchanges apart
		return err
	}
	old, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return fmt.Errorf("cannot be opened: %w", err)
	default:
		defer old.Close()
		if err := lock(old); err != nil { // bbolt's own lock
			return err
		}
	}
	err = beside(path, old, func(name string) error {
		if err := build(old, name); err != nil {
			return err
		}
		return place(name, path, old != nil)
	})
	if err == nil {
		err = folder.Sync()
	}
	return err
}

// beside calls build with the name of a new, empty file of mode 0600, which is gone afterwards. So is what a crash has left of others.
func beside(path string, old *os.File, build func(name string) error) error {
	dir, prefix := filepath.Dir(path), filepath.Base(path)+".beside-"
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, left := range files {
		if strings.HasPrefix(left.Name(), prefix) {
			os.Remove(filepath.Join(dir, left.Name()))
		}
	}
	f, err := os.CreateTemp(dir, prefix+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(give(f, old), f.Close()); err != nil {
		return err
	}
	return build(f.Name())
}

// give makes a new file belong to whoever has the old one or, where there is none, the folder: when root makes it, the service that
// opens it later may be another user. A group that cannot be given is no error, for the mode shows it nothing. Without an old file
// nobody but root gives anything away.
func give(f, old *os.File) error {
	if old == nil && os.Geteuid() != 0 {
		return nil
	}
	var want, have unix.Stat_t
	var err error
	if old != nil {
		err = unix.Fstat(int(old.Fd()), &want)
	} else {
		err = unix.Stat(filepath.Dir(f.Name()), &want)
	}
	if err = errors.Join(err, unix.Fstat(int(f.Fd()), &have)); err != nil {
		return fmt.Errorf("find whose the file is to be: %w", err)
	}
	if want.Uid == have.Uid && want.Gid == have.Gid {
		return nil
	}
	if err := f.Chown(int(want.Uid), int(want.Gid)); err != nil && want.Uid != have.Uid {
		return fmt.Errorf("cannot be given to user %d, whose it is to be: %w", want.Uid, err)
	}
	return nil
}

// place is a rename that replaces only what is known.
func place(name, path string, replace bool) error {
	if replace {
		return os.Rename(name, path)
	}
	if err := os.Link(name, path); errors.Is(err, fs.ErrExist) {
		return ErrExists
	} else if err != nil {
		return err
	}
	return nil
}

func lock(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return ErrInUse
	}
	return nil // or a file system without locks
}

// isAt reports whether the file is the one that has this name now.
func isAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(mine, now)
}
