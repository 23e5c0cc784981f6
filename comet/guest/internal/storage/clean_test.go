package storage_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/storage"
)

// A machine made from an image must not log in to the disks of the one that the image was made of.
func TestCleaningTakesAwayWhatAttachesDisks(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	write("var/lib/comet-guest/old/storage.json", `{"initiator":"iqn.a","devices":[{"name":"dev0","portal":"10.0.0.5:3260","lun":1,"logins":["iqn.t:1"]}]}`)
	write("etc/iscsi/nodes/iqn.t:1/10.0.0.5,3260,1/default", "node.session.auth.password = Planted\n")
	write("var/lib/iscsi/nodes/iqn.t:1/10.0.0.5,3260,1/default", "node.session.auth.password = Planted\n")
	write("etc/iscsi/nodes/iqn.t:1/10.0.0.6,3260,1/default", "mine\n")
	write("etc/iscsi/initiatorname.iscsi", "## mine\nInitiatorName=iqn.a\n")
	write("etc/fstab", "UUID=1 / ext4 defaults 0 1\n### BEGIN NEuca comet storage modifications - DO NOT EDIT BETWEEN THESE LINES. ###\n"+
		"UUID=2 /data ext4 _netdev,nofail 0 2\n### END NEuca comet storage modifications - DO NOT EDIT BETWEEN THESE LINES. ###\n")
	m, err := frame.Open(root, "clean", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	steps, err := storage.Cleaning(m)
	require.NoError(t, err)
	for _, s := range steps {
		assert.NotContains(t, s.Text+s.Diff, "Planted")
		require.NoError(t, s.Do(t.Context()))
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		return string(text)
	}
	assert.NoDirExists(t, filepath.Join(root, "etc/iscsi/nodes/iqn.t:1/10.0.0.5,3260,1"))
	assert.NoDirExists(t, filepath.Join(root, "var/lib/iscsi/nodes/iqn.t:1/10.0.0.5,3260,1"))
	assert.Equal(t, "mine\n", read("etc/iscsi/nodes/iqn.t:1/10.0.0.6,3260,1/default"), "another's record stays")
	assert.Equal(t, "## mine\n", read("etc/iscsi/initiatorname.iscsi"))
	assert.Equal(t, "UUID=1 / ext4 defaults 0 1\n", read("etc/fstab"))
	again, err := storage.Cleaning(m)
	require.NoError(t, err)
	assert.Empty(t, again)
}
