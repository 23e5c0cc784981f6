package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Options say how a new file is made.
type Options struct {
	Mode  fs.FileMode // permissions, whatever the umask is; zero: 0600
	Owner *Owner      // nil: the user that runs this
}

// Owner is the user and the group that own a file.
type Owner struct {
	UID, GID int
}

// Write puts data into the file at path, in a folder that must exist. What is there already is replaced with all its attributes,
// and a symbolic link is replaced, not followed. When Write returns without error the file is on disk; after an error the old file
// is there as it was, except that an error of the last step, syncing the folder, leaves the new one. Safe for concurrent use: one of
// several writers is the last.
func Write(path string, data []byte, opts Options) error {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: folder: %w", path, plain(err))
	}
	defer dir.Close()
	base := filepath.Base(path)
	tidy(dir, base)
	if err := put(dir, base, data, opts.dress, nil); err != nil {
		return fmt.Errorf("write %s: %w", path, plain(err))
	}
	return nil
}

// plain leaves the names out that a file has on its way: what is wrong is about the one that is written.
func plain(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

// dress gives a new file its owner and mode. The mode comes second because a change of owner clears set-user-ID bits.
func (o Options) dress(f *os.File) error {
	if o.Owner != nil {
		if err := f.Chown(o.Owner.UID, o.Owner.GID); err != nil {
			return err
		}
	}
	if o.Mode == 0 {
		o.Mode = 0o600
	}
	return f.Chmod(o.Mode)
}
