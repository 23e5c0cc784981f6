package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// State sums up a service.
type State string

const (
	StateSearching State = "searching" // nobody has said yet who the VM is
	StateRunning   State = "running"
	StateFailed    State = "failed"  // what says who the VM is, or the settings, cannot be used
	StateStopped   State = "stopped" // no guest runs
)

// Status is how things are on a machine whose guest runs. It holds no secret.
type Status struct {
	State   State     `json:"state"`
	Reason  string    `json:"reason,omitempty"` // why it is not running
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since,omitzero"`   // when the service was started
	Source  string    `json:"source,omitempty"` // who said who the VM is
	guest.Status
}

// statusAgain is how often the status file is written anew when nothing has changed but the time.
const statusAgain = time.Minute

// tell writes the status file, where something has changed, and tells systemd.
func (r *run) tell(st Status) {
	st.Version, st.PID, st.Since = r.Version, os.Getpid(), r.began.Truncate(time.Second)
	if st.Contexts == nil { // a guest that does not know yet who the VM is; whoever reads the file goes through lists
		st.Contexts, st.Modules = []guest.ContextStatus{}, []guest.ModuleStatus{}
	}
	r.measured.status(st)
	before := r.written
	quiet := st
	quiet.At, quiet.Contexts, quiet.Modules = before.At, heardOf(before, quiet), retryOf(before, quiet)
	if reflect.DeepEqual(before, quiet) && time.Since(before.At) < statusAgain {
		return
	}
	r.notify("STATUS=%s", strings.ReplaceAll(st.line(), "\n", " "))
	err := errors.Join(r.writeStatus(st), r.writeMetrics())
	switch {
	case err == nil:
		r.written, r.unwritten = st, ""
	case r.unwritten != err.Error(): // else it has been said, and is tried again with the next pass
		r.unwritten = err.Error()
		r.log().Warn("how things are is not written", slog.Any("because", err))
	}
}

// heardOf returns the contexts with the times of before, which change all the time.
func heardOf(before, now Status) []guest.ContextStatus {
	contexts := slices.Clone(now.Contexts)
	for i := range contexts {
		if i < len(before.Contexts) {
			contexts[i].Heard = before.Contexts[i].Heard
		}
	}
	return contexts
}

// retryOf returns the modules with the times of before, which each pass of a module that fails puts off.
func retryOf(before, now Status) []guest.ModuleStatus {
	modules := slices.Clone(now.Modules)
	for i := range modules {
		if i < len(before.Modules) {
			modules[i].Retry = before.Modules[i].Retry
		}
	}
	return modules
}

// line is the status in one line.
func (s Status) line() string {
	if s.State != StateRunning {
		return string(s.State) + ": " + s.Reason
	}
	var parts []string
	for _, m := range s.Modules {
		if m.State != guest.StateOff && m.State != guest.StateOK {
			parts = append(parts, fmt.Sprintf("%s %s", m.Name, m.State))
		}
	}
	if len(parts) == 0 {
		parts = []string{"all is well"}
	}
	return fmt.Sprintf("%d hosts, %d keys; %s", s.Module("hosts").Count, s.Module("pubkeys").Count, strings.Join(parts, ", "))
}

func (r *run) writeStatus(st Status) error {
	st.Modules = withoutDiffs(st.Modules)
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	if err := writeBelow(r.Root, r.set.StatusFile, append(data, '\n')); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

// withoutDiffs leaves out what files hold, which not everybody may read who may see the status.
func withoutDiffs(modules []guest.ModuleStatus) []guest.ModuleStatus {
	modules = slices.Clone(modules)
	for i := range modules {
		modules[i].Plan = slices.Clone(modules[i].Plan)
		for j := range modules[i].Plan {
			modules[i].Plan[j].Diff = ""
		}
	}
	return modules
}

// writeBelow writes a file below the root that everybody may read, making its folder. No link leads out of the root.
func writeBelow(root, file string, data []byte) error {
	r, err := openRoot(root)
	if err != nil {
		return err
	}
	defer r.Close()
	name := below(file)
	if err := frame.MakeFolder(r, path.Dir(name), 0o755); err != nil {
		return err
	}
	_, err = atomicfile.Replace(r, name, data, atomicfile.ReplaceOptions{New: &atomicfile.Options{Mode: 0o644}})
	return err
}

// removeBelow removes a file below the root, where it is there.
func removeBelow(root, file string) error {
	r, err := openRoot(root)
	if err != nil {
		return err
	}
	defer r.Close()
	return notThere(r.Remove(below(file)))
}

// below is the name, below the root, of a file that settings name.
func below(file string) string { return strings.TrimPrefix(path.Clean("/"+file), "/") }

// lockFile, below the root, is held by the service that runs.
const lockFile = "run/comet-guest/run.lock"

// ErrRunning says that a guest runs on the machine already.
var ErrRunning = errors.New("a guest runs on this machine already")

// lock makes sure that one guest runs on the machine.
func (s *Service) lock() (unlock func() error, err error) {
	root, err := openRoot(s.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := frame.MakeFolder(root, path.Dir(lockFile), 0o755); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil { // who may open it may lock it
		return nil, errors.Join(err, f.Close())
	}
	for end := time.Now().Add(time.Second); unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil; {
		if time.Now().After(end) { // it was not just somebody who looked at the status
			return nil, errors.Join(ErrRunning, f.Close())
		}
		time.Sleep(20 * time.Millisecond)
	}
	return f.Close, nil
}

// ReadStatus returns how things are on a machine: what its guest wrote last, and StateStopped where none runs.
func ReadStatus(root string, set settings.Settings) (Status, error) {
	var st Status
	r, err := openRoot(root)
	if err != nil {
		return st, err
	}
	defer r.Close()
	data, err := r.ReadFile(below(set.StatusFile))
	if err != nil {
		never := Status{State: StateStopped, Reason: "no guest has run since the machine was started"}
		never.Contexts, never.Modules = []guest.ContextStatus{}, []guest.ModuleStatus{}
		return never, notThere(err)
	}
	if err := json.Unmarshal(data, &st); err != nil {
		return st, fmt.Errorf("status file %s: %w", set.StatusFile, err)
	}
	if !running(r, st.PID) {
		st.State, st.Reason = StateStopped, "no guest runs; this is how it left things"
	}
	return st, nil
}

func notThere(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// running reports whether somebody holds the lock; who may not look at it asks whether the process is there.
func running(root *os.Root, pid int) bool {
	f, err := root.Open(lockFile)
	if errors.Is(err, os.ErrPermission) {
		return pid > 0 && !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
	}
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}
