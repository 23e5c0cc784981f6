package frame_test

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// The guest runs with a umask that keeps others out; folders that others need are not shut for it.
func TestFoldersHaveTheirModeWhateverTheUmask(t *testing.T) {
	root := t.TempDir()
	defer syscall.Umask(syscall.Umask(0o077))
	m, err := frame.Open(root, "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.MakeFolder("srv/data/disk", 0o755))
	for _, name := range []string{"srv", "srv/data", "srv/data/disk"} {
		info, err := os.Stat(filepath.Join(root, name))
		require.NoError(t, err)
		assert.Equal(t, fs.ModeDir|0o755, info.Mode(), name)
	}
}
