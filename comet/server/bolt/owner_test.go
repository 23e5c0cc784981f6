package bolt_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

// What root makes belongs to whose the folder is, and what root replaces to whose it was.
func TestStoresMadeByRootBelongToTheService(t *testing.T) {
	needs.Root(t, "give files away")
	const service, other = 12345, 23456
	from := open(t, filepath.Join(t.TempDir(), "comet.db"))
	put(t, from, "vm", "one")
	taken := backup(t, from)
	export := filepath.Join(t.TempDir(), "export")
	var b bytes.Buffer
	require.NoError(t, from.Export(t.Context(), &b))
	require.NoError(t, os.WriteFile(export, b.Bytes(), 0o600))

	for name, make := range map[string]func(path string) error{
		"restore": func(path string) error {
			_, _, err := bolt.Restore(t.Context(), path, bytes.NewReader(taken), true)
			return err
		},
		"import": func(path string) error {
			f, err := contents.Open(export, nil)
			require.NoError(t, err)
			defer f.Close()
			_, err = bolt.Import(t.Context(), path, f)
			return err
		},
		"open": func(path string) error {
			s, err := bolt.Open(path)
			require.NoError(t, err)
			return s.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "comet.db")
			require.NoError(t, os.Chown(filepath.Dir(path), service, service))
			require.NoError(t, make(path))
			requireOwner(t, service, path)
			require.NoError(t, os.Chown(path, other, other))
			require.NoError(t, make(path))
			requireOwner(t, other, path)
		})
	}

	// An empty store is replaced by the import, and not only changed.
	empty := filepath.Join(t.TempDir(), "comet.db")
	s, err := bolt.Open(empty)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, os.Chown(empty, other, other))
	f, err := contents.Open(export, nil)
	require.NoError(t, err)
	defer f.Close()
	_, err = bolt.Import(t.Context(), empty, f)
	require.NoError(t, err)
	requireOwner(t, other, empty)
}

func requireOwner(t *testing.T, id uint32, path string) {
	t.Helper()
	var stat unix.Stat_t
	require.NoError(t, unix.Stat(path, &stat))
	require.Equal(t, id, stat.Uid)
	require.Equal(t, id, stat.Gid)
	require.EqualValues(t, 0o600, stat.Mode&0o777)
}
