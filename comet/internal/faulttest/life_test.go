package faulttest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/service"
	conf "github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/testdata/programs"
)

// guestEvery is how often guests look; what is missing from an answer must be missing for so long.
const guestEvery = 100 * time.Millisecond

// inside is a guest that runs in this process.
type inside struct {
	*guest.Guest
	client *comet.Client
	log    *os.File
	cancel context.CancelFunc
	ended  chan error
}

// open opens the machine's guest, which does nothing yet.
func (m *machine) open() (*inside, error) {
	log, err := os.OpenFile(m.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client, err := guest.Connect(m.self, m.root, comet.WithLogger(logger), comet.WithAttemptTimeout(stepAttemptTime), comet.WithRest(5*time.Millisecond, 50*time.Millisecond))
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	g, err := guest.New(guest.Settings{
		Root: m.root, Every: guestEvery, Settled: 2 * guestEvery, Retry: 10 * time.Millisecond, Logger: logger,
		Address: func() (netip.Addr, error) { return *m.address.Load(), nil },
	}, guest.Member{Client: client, Self: m.self})
	if err != nil {
		return nil, errors.Join(err, client.Close(), log.Close())
	}
	return &inside{Guest: g, client: client, log: log}, nil
}

func (i *inside) close() error { return errors.Join(i.Close(), i.client.Close(), i.log.Close()) }

func (m *machine) startInside() (life, error) {
	i, err := m.open()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel, i.ended = cancel, make(chan error, 1)
	go func() { i.ended <- i.Run(ctx, nil) }()
	return i, nil
}

func (i *inside) reload() bool { return true } // it asks for its address each time

func (i *inside) end() error {
	i.cancel()
	return errors.Join(<-i.ended, i.close())
}

func (i *inside) kill() { _ = i.end() } // only a process can be killed

// process is a guest that is a process of its own.
type process struct {
	*exec.Cmd
	status func() (service.Status, error)
}

func (m *machine) startProcess() (life, error) {
	log, err := os.OpenFile(m.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	root := m.root
	p := process{exec.Command(m.program, "run", "--root", root, "--user-data", m.userData()), func() (service.Status, error) { return statusIn(root) }}
	p.Stdout, p.Stderr = log, log
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return p, p.Start()
}

// reload does nothing before the process can take signals, as systemd does not.
func (p process) reload() bool {
	st, err := p.status()
	return err == nil && st.PID == p.Process.Pid && p.Process.Signal(syscall.SIGHUP) == nil
}

func (p process) end() error {
	err := errors.Join(p.Process.Signal(syscall.SIGTERM), p.Wait())
	if w, ok := p.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() && w.Signal() == syscall.SIGTERM {
		return nil // it had just begun
	}
	return err
}

func (p process) kill() {
	_ = p.Process.Kill()
	_ = p.Wait()
}

// once lets a guest make one pass while none runs.
func (m *machine) once(ctx context.Context) error {
	if m.program != "" {
		return m.run(ctx, "once")
	}
	return m.inside(func(g *guest.Guest) error {
		_, err := g.Once(ctx)
		return err
	})
}

// plan is an error where a guest would change something, while none runs.
func (m *machine) plan(ctx context.Context) error {
	if m.program != "" {
		return m.run(ctx, "plan")
	}
	return m.inside(func(g *guest.Guest) error {
		st, err := g.Plan(ctx)
		if err == nil && st.Changes() {
			err = fmt.Errorf("it would change something: %+v", st)
		}
		return err
	})
}

func (m *machine) inside(do func(*guest.Guest) error) error {
	i, err := m.open()
	if err != nil {
		return err
	}
	return errors.Join(do(i.Guest), i.close())
}

func (m *machine) run(ctx context.Context, verb string) error {
	text, err := exec.CommandContext(ctx, m.program, verb, "--root", m.root, "--user-data", m.userData()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", verb, err, text)
	}
	return nil
}

// status is how the guest that runs says things are.
func (m *machine) status() guest.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i, ok := m.guest.(*inside); ok {
		return i.Status()
	}
	st, err := statusIn(m.root)
	assert.NoError(m.t, err)
	return st.Status
}

// statusIn is what a guest that is a process has said last.
func statusIn(root string) (service.Status, error) {
	set, err := conf.Load(root, "")
	if err != nil {
		return service.Status{}, err
	}
	return service.ReadStatus(root, set)
}

// build makes the program of a guest, once for all tests.
var build = sync.OnceValues(func() (path string, err error) {
	if built, err = os.MkdirTemp("", "faulttest-"); err != nil {
		return "", err
	}
	return filepath.Join(built, "comet-guest"), programs.Build(built, "../../../cmd/comet-guest")
})

var built string // the folder of what was built; empty where nothing was

func removePrograms() {
	if built != "" {
		_ = os.RemoveAll(built)
	}
}

func guestProgram(t *testing.T) string {
	t.Helper()
	path, err := build()
	require.NoError(t, err)
	return path
}
