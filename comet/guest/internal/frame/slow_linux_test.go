package frame_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
)

// Apply takes its time, and waits for another guest's slow module. Others of that guest do not wait for it.
func TestASlowModuleHasALockOfItsOwn(t *testing.T) {
	root := t.TempDir()
	guest := func() (*frame.Runner, *portal, *quick) {
		m, err := frame.Open(root, "vm", slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		r, slow, other := frame.NewRunner(m, 0, 0), &portal{looks: make(chan chan struct{})}, &quick{name: "other"}
		r.Add(&quick{name: "before"}, frame.On)
		r.Add(slow, frame.On)
		r.Add(other, frame.On)
		return r, slow, other
	}
	daemon, slow, _ := guest()
	_, err := daemon.Pass(t.Context())
	require.NoError(t, err)
	first := <-slow.looks

	once, its, other := guest()
	applied := make(chan error)
	go func() {
		_, err := once.Apply(t.Context())
		applied <- err
	}()
	lock := filepath.Join(root, frame.StateFolder, ".lock-portal")
	require.Eventually(t, func() bool { return frametest.Opened(t, lock) > 1 }, time.Minute, time.Millisecond, "it waits")
	_, err = daemon.Pass(t.Context())
	require.NoError(t, err)
	close(first)
	daemon.End()
	close(<-its.looks)
	require.NoError(t, <-applied)
	assert.Equal(t, 1, other.looks)
}
