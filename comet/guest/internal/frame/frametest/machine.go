package frametest

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// Machine is the machine that the test runs on, in the state of one instance.
func Machine(t testing.TB) *frame.Machine {
	t.Helper()
	m, err := frame.Open("/", "instance", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// Apply lets a module make what it plans, as often as it asks for it, and returns what came of it.
func Apply(t testing.TB, m *frame.Machine, module frame.Module) frame.Report {
	t.Helper()
	r := frame.NewRunner(m, 0, 0)
	r.Add(module, frame.On)
	reports, err := r.Apply(t.Context())
	require.NoError(t, err)
	return reports[0]
}

// Settled makes sure that a module has nothing to do.
func Settled(t testing.TB, module frame.Module) {
	t.Helper()
	plan, err := module.Plan(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	require.Empty(t, Texts(plan))
}

// Texts are those of a plan's steps.
func Texts(p frame.Plan) (texts []string) {
	for _, s := range p.Steps {
		texts = append(texts, s.Text)
	}
	return texts
}

// Interrupted makes n steps, as Apply would, and stops. It reports whether there were as many.
func Interrupted(t testing.TB, module frame.Module, n int) bool {
	t.Helper()
	for {
		plan, err := module.Plan(t.Context())
		require.NoError(t, err)
		for _, s := range plan.Steps {
			if n == 0 {
				return true
			}
			require.NoError(t, s.Do(t.Context()), s.Text)
			n--
		}
		if !plan.More || len(plan.Steps) == 0 {
			return n == 0
		}
	}
}

// Read returns the content of a file, empty where it is missing.
func Read(t testing.TB, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return string(content)
}

// Write makes a file.
func Write(t testing.TB, file, content string, mode fs.FileMode) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte(content), mode))
}

// Opened counts how often this process has a file open, as one that waits for a lock has it.
func Opened(t testing.TB, file string) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, f := range files {
		if target, _ := os.Readlink(f); target == file {
			n++
		}
	}
	return n
}
