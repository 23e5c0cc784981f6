package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFrom is Write for content that is too large for memory: fill writes it, and may read it back, at the file's beginning or
// elsewhere. Where fill returns an error nothing has changed. With replace false a file that is there already stays, and the error
// matches fs.ErrExist; it is returned before fill is called, unless the file came meanwhile.
func WriteFrom(path string, replace bool, opts Options, fill func(*os.File) error) error {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer dir.Close()
	base := filepath.Base(path)
	tidy(dir, base)
	place := dir.Rename
	if !replace {
		place = placeNew(dir)
		if _, err := dir.Lstat(base); err == nil {
			return fmt.Errorf("write %s: %w", path, fs.ErrExist)
		}
	}
	if err := putFrom(dir, base, fill, opts.dress, nil, place); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// placeNew is a rename that replaces nothing.
func placeNew(dir *os.Root) func(name, base string) error {
	return func(name, base string) error {
		if err := dir.Link(name, base); err != nil {
			if errors.Is(err, fs.ErrExist) {
				return fs.ErrExist
			}
			return err
		}
		return dir.Remove(name)
	}
}
