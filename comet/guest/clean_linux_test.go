package guest_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
)

// A single pass is cleaned up after once it has kept what it knows, not before: an image would have that, with secrets.
func TestCleaningWaitsForASinglePass(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	m.pass()
	s.peer("2", "b", "10.0.0.3", "all")
	unlock := flock(m, ".lock-storage")
	passed := make(chan error)
	go func() {
		_, err := m.Once(t.Context())
		passed <- err
	}()
	lock := filepath.Join(m.root, "var/lib/comet-guest/.lock-storage")
	require.Eventually(t, func() bool { return frametest.Opened(t, lock) > 1 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, os.Remove(lock)) // so that nobody else waits for that
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := guest.Clean(ctx, m.root, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	unlock()
	require.NoError(t, <-passed)
	_, err = guest.Clean(t.Context(), m.root, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.Empty(t, m.kept())
}
