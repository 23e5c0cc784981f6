package identity_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
)

func TestMachinesAreToldApartByTheirUUID(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	assert.Empty(t, identity.Machine(root), "not all have one")
	device := filepath.Join(dir, "sys/devices/virtual/dmi/id") // as the kernel shows it
	require.NoError(t, os.MkdirAll(device, 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sys/class/dmi"), 0o755))
	require.NoError(t, os.Symlink("../../devices/virtual/dmi/id", filepath.Join(dir, "sys/class/dmi/id")))
	require.NoError(t, os.WriteFile(filepath.Join(device, "product_uuid"), []byte("4C4C4544-0042-4D10-8052-B4C04F4E3132\n"), 0o400))
	assert.Equal(t, "4c4c4544-0042-4d10-8052-b4c04f4e3132", identity.Machine(root))

	self := found(t, documents{osMetadata: metadata(t)}.cloud(t))
	self.Machine = identity.Machine(root)
	again, err := identity.Parse(self.Marshal())
	require.NoError(t, err)
	assert.Equal(t, self.Machine, again.Machine)
}
