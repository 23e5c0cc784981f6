package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// SocketName is what the socket is called, in the folder of the store.
const SocketName = "admin.sock"

// maxSocketPath is how long the path of a socket may be, in bytes, on all systems.
const maxSocketPath = 100

// umask is one for the whole process.
var umask sync.Mutex

// listen makes the socket in the folder of a store that the caller has locked: one that is there was left by a head that was killed.
func listen(dir string) (net.Listener, error) {
	path := filepath.Join(dir, SocketName)
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	var l net.Listener
	err := within(dir, func(path string) (err error) {
		umask.Lock()
		defer umask.Unlock()
		defer unix.Umask(unix.Umask(0o177)) // so that nobody else can connect, not even for a moment
		l, err = net.Listen("unix", path)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // by a name that may be of no use any more
	return &listener{l, path}, nil
}

type listener struct {
	net.Listener
	path string
}

func (l *listener) Close() error {
	err := os.Remove(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(l.Listener.Close(), err)
}

// within calls do with a path of the socket in a folder that is short enough for the system.
func within(dir string, do func(path string) error) error {
	path := filepath.Join(dir, SocketName)
	if len(path) <= maxSocketPath {
		return do(path)
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return do(fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), SocketName))
}

// gone reports whether nobody listens: there is no socket, or one that was left.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOTDIR)
}
