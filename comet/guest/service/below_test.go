package service_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
)

// Status, metrics and locks stay below the root, though it is named from where the guest was started, and whatever links stand in it.
func TestNothingIsWrittenBesideTheRoot(t *testing.T) {
	w := newWorld(t)
	outside := t.TempDir()
	t.Chdir(filepath.Dir(w.root))
	w.root = filepath.Base(w.root)
	w.set(func(s *settings.Settings) { s.MetricsFile = "/linked/metrics" }, nil)
	require.NoError(t, os.Symlink(outside, filepath.Join(w.root, "linked")))
	w.tell(w.ini(w.self("own")))
	r := w.start(w.service())
	st := w.status(knows(1))
	r.stop()
	assert.Equal(t, service.StateRunning, st.State)
	assert.NotEmpty(t, w.file("run/status.json"))
	assert.FileExists(t, filepath.Join(w.root, "run/comet-guest/run.lock"))
	left, err := os.ReadDir(outside)
	require.NoError(t, err)
	assert.Empty(t, left)
}
