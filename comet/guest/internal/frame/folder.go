package frame

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// MakeFolder makes what is missing of a folder's path; the last one gets this mode, those above it 0755.
func (m *Machine) MakeFolder(name string, mode fs.FileMode) error {
	return MakeFolder(m.root, name, mode)
}

// MakeFolder does the same below any root.
func MakeFolder(root *os.Root, name string, mode fs.FileMode) error {
	return makeFolder(root, name, mode, nil, func(string) {})
}

// makeFolder passes each folder that it has made to made, before anybody else may look into it.
func makeFolder(root *os.Root, name string, mode fs.FileMode, owner *atomicfile.Owner, made func(name string)) error {
	for at := 0; at < len(name); {
		next := strings.IndexByte(name[at:], '/')
		part, with := name, mode
		if next >= 0 {
			part, with = name[:at+next], fs.FileMode(0o755)
		}
		var err error
		if owner == nil {
			if err = root.Mkdir(part, with); err == nil {
				made(part)
				err = root.Chmod(part, with) // whatever the umask is
			}
		} else {
			err = makeFor(root, part, with, *owner, made)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		at = len(part) + 1
	}
	return nil
}

// makeFor makes a folder and gives it away. Until that is done it has no permissions, by which one is known that a crash has left. The
// name is not trusted, since the new owner may put a link behind it.
func makeFor(root *os.Root, name string, mode fs.FileMode, owner atomicfile.Owner, made func(name string)) error {
	err := root.Mkdir(name, 0)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	found, err := root.Lstat(name)
	if err != nil || !unfinished(found, owner) {
		return err
	}
	folder, err := root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer folder.Close()
	if opened, err := folder.Stat(); err != nil || !os.SameFile(found, opened) {
		return atomicfile.ErrChanged
	}
	made(name)
	if err := folder.Chown(owner.UID, owner.GID); err != nil {
		return err
	}
	return folder.Chmod(mode)
}

// unfinished reports whether makeFor has left a folder before it had its owner, or its mode.
func unfinished(folder fs.FileInfo, owner atomicfile.Owner) bool {
	stat, ok := folder.Sys().(*syscall.Stat_t)
	return ok && folder.IsDir() && folder.Mode().Perm() == 0 && (int(stat.Uid) == os.Geteuid() || int(stat.Uid) == owner.UID)
}
