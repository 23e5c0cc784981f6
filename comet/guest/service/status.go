package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

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
	StateStarting  State = "starting" // a guest runs that has not said yet how things are
	StateFailed    State = "failed"   // what says who the VM is, or the settings, cannot be used
	StateStopped   State = "stopped"  // no guest runs
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
	r, err := frame.OpenRoot(root)
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
	r, err := frame.OpenRoot(root)
	if err != nil {
		return err
	}
	defer r.Close()
	return notThere(r.Remove(below(file)))
}

// below is the name, below the root, of a file that settings name.
func below(file string) string { return strings.TrimPrefix(path.Clean("/"+file), "/") }

// ReadStatus returns how things are on a machine: what its guest wrote last, StateStarting where one runs that has written nothing yet, and
// StateStopped where none runs. Those who may not know who runs, as only root may, go by whether the process is there that wrote.
func ReadStatus(root string, set settings.Settings) (Status, error) {
	r, err := frame.OpenRoot(root)
	if err != nil {
		return Status{}, err
	}
	defer r.Close()
	st, there, err := readStatus(r, set.StatusFile)
	if err != nil {
		return st, err
	}
	h, err := look(r)
	unseen := errors.Is(err, fs.ErrPermission)
	switch {
	case err != nil && !unseen:
		return st, err
	case unseen && alive(st.PID) || there && h.runs() && h.PID == st.PID:
	case h.runs():
		st.State, st.Reason, st.PID = StateStarting, "a guest runs that has not said yet how things are", h.PID
	case there:
		st.State, st.Reason = StateStopped, "no guest runs; this is how it left things"
	default:
		st.State, st.Reason = StateStopped, "no guest has run since the machine was started; once leaves no status"
	}
	return st, nil
}

// readStatus reads the status file, where it is there.
func readStatus(r *os.Root, file string) (st Status, there bool, err error) {
	data, err := r.ReadFile(below(file))
	if err != nil {
		st.Contexts, st.Modules = []guest.ContextStatus{}, []guest.ModuleStatus{}
		return st, false, notThere(err)
	}
	if err := json.Unmarshal(data, &st); err != nil {
		return st, true, fmt.Errorf("status file %s: %w", file, err)
	}
	return st, true, nil
}

func notThere(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
