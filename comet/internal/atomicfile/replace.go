package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// ErrChanged is what Replace returns, having written nothing, when the file is not or no longer what the caller has seen: read it
// again and decide again.
var ErrChanged = errors.New("somebody else has changed the file")

// ReplaceOptions say how Replace treats a file of the system. The zero value fits a file that is there.
type ReplaceOptions struct {
	// Expect, where not nil, is the content that the file must have now; empty, it may also be missing. Anything else is
	// ErrChanged.
	Expect []byte

	// New says how a missing file is made. Nil: a missing file is an error that matches fs.ErrNotExist.
	New *Options

	// Backup is the folder for backups of files that must be rewritten in place. Nil: the file's own, which then must be
	// writable. The same file needs the same folder each time, or a crash is not mended.
	Backup *os.Root

	// NoLinks refuses every symbolic link in the path. Without it links are followed inside the root: a relative one as it
	// stands, an absolute one as a path below the root. One that leads out of the root is refused always, and so is one to
	// nothing.
	NoLinks bool
}

// Result says what Replace did.
type Result struct {
	Changed bool     // false: the content was right, and nothing was written
	InPlace bool     // the file is a mount point and was rewritten in place
	Lost    []string // extended attributes that this process may not set on the new file, or take from it; sorted
}

// Replace gives the regular file called name, a path below root, new content. Owner, mode with its set-user-ID bits, access lists,
// security label and other extended attributes stay; hard links to the old file keep the old content. A file that has the content
// already is not touched.
//
// Processes that may replace the same file hold a Lock meanwhile; a change by others between reading and renaming is found but for
// the last instant and gives ErrChanged. After other errors too, such as a full or read-only disk, the old content is there, but for
// two cases: syncing the folder failed, which is the last step; and a file rewritten in place could not be put back, when the backup
// stays and the error names it.
func Replace(root *os.Root, name string, data []byte, opts ReplaceOptions) (Result, error) {
	var result Result
	err := at(root, name, opts, func(p place) (err error) {
		if _, err := p.recover(opts.Backup); err != nil {
			return err
		}
		result, err = p.replace(data, opts)
		return err
	})
	if err != nil {
		return Result{}, fmt.Errorf("replace %s: %w", path.Join(root.Name(), name), err)
	}
	return result, nil
}

// Read returns the content of a regular file as Replace would find it, following links as opts say. It writes nothing, and a missing
// file is an error that matches fs.ErrNotExist.
func Read(root *os.Root, name string, opts ReplaceOptions) ([]byte, error) {
	var data []byte
	err := at(root, name, opts, func(p place) (err error) {
		data, err = readRegular(p.dir, p.base)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path.Join(root.Name(), name), err)
	}
	return data, nil
}

func at(root *os.Root, name string, opts ReplaceOptions, do func(place) error) error {
	p, err := find(root, name, opts.NoLinks)
	if err != nil {
		return err
	}
	defer p.dir.Close()
	return do(p)
}

func (p place) replace(data []byte, opts ReplaceOptions) (Result, error) {
	old, err := p.load()
	if errors.Is(err, fs.ErrNotExist) && opts.New != nil {
		return p.make(data, opts)
	}
	if err != nil {
		return Result{}, err
	}
	defer old.Close()
	switch {
	case opts.Expect != nil && !bytes.Equal(old.data, opts.Expect):
		return Result{}, ErrChanged
	case bytes.Equal(old.data, data):
		return Result{}, nil
	}

	result := Result{Changed: true}
	dress := func(f *os.File) (err error) {
		result.Lost, err = old.dress(f)
		return err
	}
	err = put(p.dir, p.base, data, dress, func() error { return p.unchanged(old.info) })
	if isMountPoint(err) {
		result = Result{Changed: true, InPlace: true}
		err = p.rewrite(old, data, opts.Backup)
	}
	return result, err
}

// make is replace for a file that is not there.
func (p place) make(data []byte, opts ReplaceOptions) (Result, error) {
	if len(opts.Expect) > 0 {
		return Result{}, ErrChanged
	}
	err := put(p.dir, p.base, data, opts.New.dress, func() error { return p.unchanged(nil) })
	return Result{Changed: true}, err
}

// isMountPoint tells from a failed put that the file itself is a mount. A read-only folder is no proof, but no file in it could be
// written if it were not.
func isMountPoint(err error) bool {
	return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EROFS)
}

// unchanged checks that the file is the one that was seen before, or that it is missing still.
func (p place) unchanged(seen fs.FileInfo) error {
	now, err := p.dir.Lstat(p.base)
	switch {
	case errors.Is(err, fs.ErrNotExist) && seen == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return ErrChanged
	case err != nil:
		return err
	case seen == nil || !os.SameFile(seen, now) || seen.Size() != now.Size() || !seen.ModTime().Equal(now.ModTime()):
		return ErrChanged
	}
	return nil
}

// original is the file to be replaced. It stays open for what is copied from it.
type original struct {
	*os.File
	info fs.FileInfo
	data []byte
}

func (p place) load() (*original, error) {
	f, err := openRegular(p.dir, p.base, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	old := &original{File: f}
	if old.info, err = f.Stat(); err == nil {
		old.data, err = readAll(f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return old, nil
}
