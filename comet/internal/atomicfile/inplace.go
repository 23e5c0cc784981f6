package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
)

// A file that cannot be renamed over is rewritten in place, between two backups: the new content is written first, the old one
// second, both atomically, and they are removed in the opposite order. So where the backup of the old content is, that of the new
// content is too, unless the rewriting was done; and with both at hand a file that was torn can be told from one that somebody else
// has written since.

// Recover mends what a crash left: a file that was being rewritten in place gets its old content back, and leftover temporary files
// go. It reports whether the file was put back. Call it under the Lock, before reading what is to be replaced. Of opts only Backup
// and NoLinks count. A missing file is no error.
func Recover(root *os.Root, name string, opts ReplaceOptions) (bool, error) {
	var restored bool
	err := at(root, name, opts, func(p place) (err error) {
		restored, err = p.recover(opts.Backup)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("recover %s: %w", path.Join(root.Name(), name), err)
	}
	return restored, nil
}

// backup is the pair of files that guard a rewriting.
type backup struct {
	dir      *os.Root
	old, new string
}

// backup names the pair after the whole path, since one folder may hold those of many files.
func (p place) backup(dir *os.Root) backup {
	if dir == nil {
		dir = p.dir
	}
	name := url.PathEscape(p.name)
	return backup{dir: dir, old: ".comet-old-" + name, new: ".comet-new-" + name}
}

func (b backup) write(old, new []byte) error {
	if err := put(b.dir, b.new, new, Options{}.dress, nil); err != nil {
		return err
	}
	return put(b.dir, b.old, old, Options{}.dress, nil)
}

func (b backup) remove() error {
	for _, name := range []string{b.old, b.new} {
		if err := b.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := syncFolder(b.dir); err != nil {
			return err
		}
	}
	return nil
}

// rewrite replaces the content of a mount point. Backups that cannot be removed after an error are left to recover.
func (p place) rewrite(old *original, data []byte, backups *os.Root) error {
	f, err := openRegular(p.dir, p.base, os.O_WRONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	b := p.backup(backups)
	if err := b.write(old.data, data); err != nil {
		_ = b.remove()
		return fmt.Errorf("back up before rewriting in place: %w", err)
	}
	if err := p.unchanged(old.info); err != nil {
		_ = b.remove()
		return err
	}
	err = overwrite(f, data)
	if err == nil {
		err = old.keepMode(f)
	}
	if err == nil {
		return b.remove()
	}
	if undo := overwrite(f, old.data); undo != nil {
		return fmt.Errorf("rewrite in place: %w; the old content is in %s, as putting it back failed: %v",
			err, path.Join(b.dir.Name(), b.old), undo)
	}
	_ = b.remove()
	return fmt.Errorf("rewrite in place: %w", err)
}

// overwrite does not truncate first, so that at each moment every byte is an old or a new one.
func overwrite(f *os.File, data []byte) error {
	if _, err := f.WriteAt(data, 0); err != nil {
		return err
	}
	if err := f.Truncate(int64(len(data))); err != nil {
		return err
	}
	return f.Sync()
}

func (p place) recover(backups *os.Root) (restored bool, err error) {
	sweep(p.dir, p.base)
	b := p.backup(backups)
	sweep(b.dir, b.old, b.new)
	old, err := readRegular(b.dir, b.old)
	if errors.Is(err, fs.ErrNotExist) {
		b.dir.Remove(b.new)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	data, err := readRegular(b.dir, b.new)
	if err == nil {
		restored, err = p.restore(old, data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return restored, b.remove()
}

// restore puts the old content back into a file that was torn on its way from old to new.
func (p place) restore(old, new []byte) (bool, error) {
	now, err := readRegular(p.dir, p.base)
	if err != nil {
		return false, err
	}
	if bytes.Equal(now, old) || bytes.Equal(now, new) || !torn(now, old, new) {
		return false, nil
	}
	f, err := openRegular(p.dir, p.base, os.O_WRONLY)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return true, overwrite(f, old)
}

// torn reports whether every byte of a file is from its old or its new content. Beyond the old end there may also be zeros: after a
// power cut a file can have its new length without the data.
func torn(now, old, new []byte) bool {
	if len(now) < min(len(old), len(new)) || len(now) > max(len(old), len(new)) {
		return false
	}
	for i, c := range now {
		fromOld, fromNew := i < len(old) && c == old[i], i < len(new) && c == new[i]
		if !fromOld && !fromNew && !(i >= len(old) && c == 0) {
			return false
		}
	}
	return true
}
