package vms_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/cmd/internal/vms"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

// All tests with VMs are in this package, so that they come one after the other: two VMs that boot take two processors.

// TestMain lets tests beside these go first: VMs are patient.
func TestMain(m *testing.M) {
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 5); err != nil {
		fmt.Fprintln(os.Stderr, "VMs are not made patient:", err)
	}
	os.Exit(m.Run())
}

// These bound what would wait for ever; a machine with much else to do takes minutes where another one takes seconds.
const (
	buildTime = 10 * time.Minute
	bootTime  = 5 * time.Minute
	runTime   = 3 * time.Minute
)

var debian = sync.OnceValues(func() (vms.Image, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	cache, err := vms.DefaultCache()
	if err != nil {
		return vms.Image{}, err
	}
	return vms.OpenImage(ctx, cache, nil)
})

// image is Debian, as the tests' VMs start from it.
func image(t *testing.T) vms.Image {
	t.Helper()
	if testing.Short() || os.Getenv("CI") == "" && os.Getenv("COMET_LONG") == "" {
		t.Skip("VMs take minutes: with COMET_LONG=1 they are tested here too")
	}
	cache, err := vms.DefaultCache()
	require.NoError(t, err)
	if err := vms.Missing(cache); err != nil {
		needs.Missing(t, err.Error())
	}
	i, err := debian()
	require.NoError(t, err)
	return i
}

// machine is a VM of a test.
type machine struct {
	*vms.VM
	t *testing.T
}

// lastWords is asked of a VM when its test has failed.
const lastWords = `systemctl --failed --no-legend; comet-guest status; journalctl -b --no-pager -n 100 -o cat`

// machineOf makes a VM that is off. At the end it goes, and if the test failed its last words are shown.
func machineOf(t *testing.T, c vms.Config) *machine {
	t.Helper()
	vm, err := vms.New(filepath.Join(t.TempDir(), "vm"), c)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last that %s said on its console:\n%s", c.Name, vm.Console.Tail(40))
			ctx, cancel := context.WithTimeout(context.Background(), runTime)
			defer cancel()
			said, err := vm.Run(ctx, lastWords)
			t.Logf("what goes on in it: %v\n%s", err, said)
		}
		assert.NoError(t, vm.Close())
	})
	return &machine{vm, t}
}

func (m *machine) start() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), bootTime)
	defer cancel()
	require.NoError(m.t, m.Start(ctx))
}

func (m *machine) reboot() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), bootTime)
	defer cancel()
	require.NoError(m.t, m.Reboot(ctx))
}

// run runs a script that must go well.
func (m *machine) run(script string) string {
	m.t.Helper()
	out, err := m.try(script)
	require.NoError(m.t, err, script)
	return out
}

func (m *machine) try(script string) (string, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), runTime)
	defer cancel()
	return m.Run(ctx, script)
}

// until waits in the VM until a condition of the shell holds.
func (m *machine) until(condition string) {
	m.t.Helper()
	m.run("until " + condition + "; do sleep 0.5; done")
}

// serve serves on loopback and returns the HOST:PORT.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}
