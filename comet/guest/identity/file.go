package identity

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// File is a file on the VM itself: user data, or meta_data.json or the body that sets it, told apart by content, compressed or not.
type File struct {
	Path string
	Root string // the folder below which Path counts, and out of which no link leads; / where it is empty
}

// Name is the file's.
func (f File) Name() string { return "file " + f.path() }

func (f File) path() string { return filepath.Join(f.Root, f.Path) }

// Look reads the file. One that is not there is ErrAbsent.
func (f File) Look(context.Context) (Identity, error) {
	data, err := f.read()
	if err != nil {
		return Identity{}, err
	}
	self, err := parse(data)
	self.Source = f.path()
	return self, err
}

func (f File) read() ([]byte, error) {
	if filepath.Clean(cmp.Or(f.Root, "/")) == "/" {
		return readFile(os.OpenFile(f.Path, readOnly, 0))
	}
	root, err := os.OpenRoot(f.Root)
	if err != nil {
		return nil, openError(err)
	}
	defer root.Close()
	return readFile(root.OpenFile(strings.TrimPrefix(filepath.Clean(f.Path), "/"), readOnly, 0))
}

// readOnly waits for no pipe.
const readOnly = os.O_RDONLY | unix.O_NONBLOCK

// readFile reads what was opened, if it is a file, and closes it. An error does not name it.
func readFile(f *os.File, err error) ([]byte, error) {
	if err != nil {
		return nil, openError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, plain(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	}
	data, err := readAll(f)
	return data, plain(err)
}

func openError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return absent("it is not there")
	}
	return plain(err)
}

// plain takes the path off, which the caller names.
func plain(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
