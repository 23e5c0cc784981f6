package frame_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// waitUntilOld waits until a change of a file is long enough ago; nobody can set the time by which that goes.
func waitUntilOld(t *testing.T, m *frame.Machine, name string) {
	t.Helper()
	require.Eventually(t, func() bool { _, ok := m.Stamp(name); return ok }, time.Minute, 50*time.Millisecond)
}

func TestASettledPlanHoldsUntilSomethingChanges(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "hosts")
	require.NoError(t, os.WriteFile(file, []byte("a\n"), 0o644))
	m, err := frame.Open(root, "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	_, ok := m.Stamp("hosts")
	assert.False(t, ok, "another change may leave the same times")
	waitUntilOld(t, m, "hosts")

	var s frame.Settled
	asked := 0
	var plan frame.Plan
	var failed error
	get := func(turn int) frame.Plan {
		p, err := s.Get(m, turn, []string{"hosts", "missing"}, func() (frame.Plan, error) { asked++; return plan, failed })
		assert.Equal(t, failed, err)
		return p
	}
	plan.Count = 3
	get(1)
	assert.Equal(t, 3, get(1).Count)
	assert.Equal(t, 1, asked)
	get(2)
	assert.Equal(t, 2, asked, "heads say something new")

	plan.Steps = []frame.Step{{Text: "x"}}
	get(3)
	get(3)
	assert.Equal(t, 4, asked, "there is something to do")
	plan.Steps, failed = nil, errors.New("no")
	get(4)
	get(4)
	assert.Equal(t, 6, asked, "it has failed")

	failed = nil
	get(5)
	require.NoError(t, os.WriteFile(filepath.Join(root, "missing"), nil, 0o644))
	get(5)
	assert.Equal(t, 8, asked, "a file has come")
	waitUntilOld(t, m, "missing")
	get(5)
	get(5)
	assert.Equal(t, 9, asked)
	before, err := os.Stat(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("b\n"), 0o644))
	times := []unix.Timespec{unix.NsecToTimespec(before.ModTime().UnixNano()), unix.NsecToTimespec(before.ModTime().UnixNano())}
	require.NoError(t, unix.UtimesNanoAt(unix.AT_FDCWD, file, times, 0))
	get(5)
	assert.Equal(t, 10, asked, "as long as before, and said to be as old")
}
