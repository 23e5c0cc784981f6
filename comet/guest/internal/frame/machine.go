package frame

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// StateFolder is where the guest keeps its state, below the root; nobody but root may look into it.
const StateFolder = "var/lib/comet-guest"

// Machine is what modules look at and change. Its methods may be called from several goroutines.
type Machine struct {
	Log      *slog.Logger
	root     *os.Root
	real     bool
	instance string
	woken    chan struct{}
	systemd  atomic.Bool // is there, and new enough for units
}

// Open returns the machine whose files lie below root, / where it is empty. The state is that of one instance: a name that is safe
// as that of a folder. A clone of the machine is another instance and begins anew.
func Open(root, instance string, log *slog.Logger) (*Machine, error) {
	if instance == "" || instance != filepath.Base(instance) || strings.HasPrefix(instance, ".") {
		return nil, fmt.Errorf("instance %q cannot be the name of a folder", instance)
	}
	opened, err := OpenRoot(root)
	if err != nil {
		return nil, err
	}
	return &Machine{Log: log, root: opened, real: opened.Name() == "/", instance: instance, woken: make(chan struct{}, 1)}, nil
}

// OpenRoot opens the folder below which a machine's files lie, / where path is empty.
func OpenRoot(path string) (*os.Root, error) {
	root, err := os.OpenRoot(filepath.Clean(cmp.Or(path, "/")))
	if err != nil {
		return nil, fmt.Errorf("root folder: %w", err)
	}
	return root, nil
}

// Wake asks for a pass soon: something on the machine has changed. It does not wait.
func (m *Machine) Wake() {
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

// Woken holds a value after Wake.
func (m *Machine) Woken() <-chan struct{} { return m.woken }

// Close gives the root folder back.
func (m *Machine) Close() error { return m.root.Close() }

// Instance names whose state is kept.
func (m *Machine) Instance() string { return m.instance }

// Needs returns ErrNeedsRoot unless the machine is the one that the guest runs on, and it runs as root.
func (m *Machine) Needs() error {
	switch {
	case !m.real:
		return ErrNeedsRoot
	case os.Geteuid() != 0:
		return fmt.Errorf("%w, as root", ErrNeedsRoot)
	}
	return nil
}

var errNoJSON = errors.New("is not what the guest has written there; look at it, and move it away to begin anew")
