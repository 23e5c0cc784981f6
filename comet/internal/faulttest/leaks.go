package faulttest

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// Leaks makes sure that, when the test and all that it started is over, no goroutine, file descriptor or temporary file is left of it.
// It is called first.
func Leaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	descriptors := openFiles(t)
	t.Cleanup(func() {
		assert.NoError(t, goleak.Find(before), "goroutines are left")
		assert.Eventually(t, func() bool { return len(openFiles(t)) <= len(descriptors) }, patience, time.Millisecond, "file descriptors are left")
		if t.Failed() {
			t.Logf("open before: %v, after: %v", descriptors, openFiles(t))
		}
		assert.Empty(t, fileNames(t, temporary), "temporary files are left")
	})
}

// openFiles says what this process has open, on systems that tell.
func openFiles(t *testing.T) (open []string) {
	const dir = "/proc/self/fd"
	list, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	for _, f := range list {
		if to, err := os.Readlink(fmt.Sprint(dir, "/", f.Name())); err == nil { // else it was the folder itself
			open = append(open, to)
		}
	}
	slices.Sort(open)
	return open
}

func fileNames(t *testing.T, dir string) (names []string) {
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}
