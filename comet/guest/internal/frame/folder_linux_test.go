package frame_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

const homesVariable = "FRAME_TEST_HOMES"

// putKeys puts a user's keys into a home in the folder home.
func putKeys(t *testing.T, root string, user int) error {
	t.Helper()
	m, err := frame.Open(root, "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	steps, err := m.Put(frame.File{Name: ".ssh/authorized_keys", Content: []byte("key\n"), Mode: 0o600, NoLinks: true, Below: "home",
		Owner: &atomicfile.Owner{UID: user, GID: user}})
	require.NoError(t, err)
	require.Len(t, steps, 1)
	return steps[0].Do(t.Context())
}

// A folder that was made for a user, and not given to him with its mode, is finished, whatever came in between.
func TestFoldersOfOthersAreFinished(t *testing.T) {
	const user = 1234
	if root := os.Getenv(homesVariable); root != "" {
		require.ErrorIs(t, putKeys(t, root, user), unix.EINVAL, "there is no such user")
		return
	}
	needs.Root(t, "give folders away")
	for name, unfinished := range map[string]func(root, folder string) error{
		"before its owner": func(_, folder string) error { return os.Mkdir(folder, 0) },
		"before its mode":  func(_, folder string) error { return errors.Join(os.Mkdir(folder, 0), os.Chown(folder, user, user)) },
		"that nobody could be given": func(root, _ string) error {
			cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$") // where no other user is known
			cmd.Env = append(os.Environ(), homesVariable+"="+root)
			only := []syscall.SysProcIDMap{{Size: 1}}
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: only, GidMappings: only}
			return cmd.Run()
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			folder := filepath.Join(root, "home/.ssh")
			require.NoError(t, os.Mkdir(filepath.Dir(folder), 0o755))
			require.NoError(t, unfinished(root, folder))
			require.NoError(t, putKeys(t, root, user))
			info, err := os.Stat(folder)
			require.NoError(t, err)
			assert.Equal(t, fs.ModeDir|0o700, info.Mode())
			assert.EqualValues(t, user, info.Sys().(*syscall.Stat_t).Uid)
		})
	}
}
