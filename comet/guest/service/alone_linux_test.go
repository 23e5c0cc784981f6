package service_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

// Where /run is full nobody can say who he is. A guest does its work all the same, and still has the machine alone.
func TestAFullDiskKeepsNoGuestFromItsWork(t *testing.T) {
	if !needs.Mounts(t) {
		return
	}
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	run := filepath.Join(w.root, "run")
	require.NoError(t, os.Mkdir(run, 0o755))
	needs.Mount(t, "tmpfs", run, "tmpfs", 0, "size=4k")
	require.NoError(t, os.Mkdir(filepath.Join(run, "comet-guest"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(run, "ballast"), make([]byte, 4<<10), 0o600))
	require.ErrorIs(t, os.WriteFile(filepath.Join(run, "more"), []byte("more"), 0o600), unix.ENOSPC)

	r := w.start(w.service())
	require.Eventually(t, func() bool { return strings.Contains(w.file("etc/hosts"), "peer") }, waitFor, tick)
	running, err := w.service().Running()
	require.NoError(t, err)
	assert.True(t, running)
	assert.Equal(t, service.StateStarting, w.status(func(service.Status) bool { return true }).State)
	require.ErrorIs(t, w.service().Run(t.Context(), nil), service.ErrRunning)
	require.ErrorContains(t, w.service().Stop(t.Context()), "does not say which process it is")
	r.stop()
	require.NoError(t, w.service().Stop(t.Context()))
}
