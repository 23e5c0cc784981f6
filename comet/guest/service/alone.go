package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// Below the root: lockFile is held by who has the machine alone, and says who that is. lookFile is held while the other is taken and
// written, or looked at, so that nobody takes who had it before, and may have crashed, for who has it now.
const (
	lockFile = "run/comet-guest/run.lock"
	lookFile = "run/comet-guest/look.lock"
)

// ErrRunning says that a guest runs on the machine already.
var ErrRunning = errors.New("a guest runs on this machine already")

// role is for what somebody has the machine alone.
type role string

const (
	asGuest role = "guest"
	byFlags role = "guest by flags" // a guest that goes with the contexts which flags have named
	asClean role = "clean"
)

// holder is who has the machine alone; nobody where it is the zero value.
type holder struct {
	PID  int  `json:"pid"`
	Role role `json:"role"`
}

// runs reports whether it is a guest.
func (h holder) runs() bool { return h.Role == asGuest || h.Role == byFlags }

// refusal is what others are told who want the machine for themselves.
func (h holder) refusal() error {
	if h.Role == asClean {
		return guest.ErrCleaning
	}
	return ErrRunning
}

// signal sends a signal to a guest; to whom it is not one, nothing.
func (h holder) signal(signal unix.Signal) error {
	if !h.runs() {
		return nil
	}
	if h.PID <= 0 { // which would be our own processes
		return errNameless
	}
	if err := unix.Kill(h.PID, signal); !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

var errNameless = errors.New(lockFile + ": a guest runs that does not say which process it is; end that by hand")

// alive reports whether there is a process of that number.
func alive(pid int) bool { return pid > 0 && !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

// dying is how long a lock may outlive who had it: in a process that was just being started.
const dying = time.Second

// alone makes sure that nobody else has the machine alone until release is called. The error matches ErrRunning where a guest runs, and
// guest.ErrCleaning where the machine is being cleaned.
func (s *Service) alone(as role) (release func() error, err error) {
	root, err := frame.OpenRoot(s.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := frame.MakeFolder(root, path.Dir(lockFile), 0o755); err != nil {
		return nil, err
	}
	for end := time.Now().Add(dying); ; {
		release, held, err := take(root, as)
		switch {
		case err != nil || release != nil:
			return release, err
		case alive(held.PID) || time.Now().After(end):
			return nil, held.refusal()
		}
		time.Sleep(dying / 50)
	}
}

// take takes the lock and writes into it who has it, or returns who has it already.
func take(root *os.Root, as role) (release func() error, held holder, err error) {
	looking, err := openLock(root, lookFile, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, held, err
	}
	defer looking.Close()
	if err := flock(looking, unix.LOCK_EX); err != nil {
		return nil, held, err
	}
	f, err := openLock(root, lockFile, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, held, err
	}
	if flock(f, unix.LOCK_EX|unix.LOCK_NB) != nil {
		held, err = readHolder(f)
		return nil, held, errors.Join(err, f.Close())
	}
	if err := (holder{PID: os.Getpid(), Role: as}).writeTo(f); err != nil {
		return nil, held, errors.Join(err, f.Close())
	}
	return func() error { return errors.Join(flock(f, unix.LOCK_UN), f.Close()) }, held, nil // a child may have it open for a moment
}

// look returns who has the machine alone. The error matches fs.ErrPermission for those who may not know.
func look(root *os.Root) (h holder, err error) {
	looking, err := openLock(root, lookFile, os.O_RDONLY)
	if err != nil {
		return h, notThere(err)
	}
	defer looking.Close()
	if err := flock(looking, unix.LOCK_SH); err != nil {
		return h, err
	}
	f, err := openLock(root, lockFile, os.O_RDONLY)
	if err != nil {
		return h, notThere(err)
	}
	defer f.Close()
	if flock(f, unix.LOCK_SH|unix.LOCK_NB) == nil {
		return h, nil
	}
	return readHolder(f)
}

func (s *Service) look() (h holder, err error) {
	root, err := frame.OpenRoot(s.Root)
	if err != nil {
		return h, err
	}
	defer root.Close()
	return look(root)
}

// Running reports whether a guest runs on the machine. It is for root: the error matches fs.ErrPermission for those who may not know.
func (s *Service) Running() (bool, error) {
	h, err := s.look()
	return h.runs(), err
}

func openLock(root *os.Root, name string, flags int) (*os.File, error) {
	f, err := root.OpenFile(name, flags, 0o600)
	if err != nil || flags&os.O_CREATE == 0 {
		return f, err
	}
	if err := f.Chmod(0o600); err != nil { // who may open it may lock it
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// writeTo makes a lock say who holds it. On a full disk it says nothing, and is held all the same.
func (h holder) writeTo(f *os.File) error {
	data, err := json.Marshal(h)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.Write(append(data, '\n'))
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		err = f.Truncate(0)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	return nil
}

// readHolder returns who a lock that is held says that it is held by: where it says nothing, a guest of which no more is known.
func readHolder(f *os.File) (h holder, err error) {
	switch err := json.NewDecoder(f).Decode(&h); {
	case errors.Is(err, io.EOF):
		return holder{Role: asGuest}, nil
	case err != nil:
		return h, fmt.Errorf("%s does not say who holds it: %w", f.Name(), err)
	}
	return h, nil
}
