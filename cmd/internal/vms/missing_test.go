package vms_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/vms"
)

func TestWhatIsMissingIsSaidInOneLine(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := vms.Missing(t.TempDir())
	require.ErrorIs(t, err, vms.ErrMissing)
	assert.Contains(t, err.Error(), "qemu-system-x86_64, qemu-img, bash, mmdebstrap, mke2fs")
	assert.Contains(t, err.Error(), "apt install qemu-system-x86 qemu-utils bash mmdebstrap e2fsprogs")
	assert.NotContains(t, err.Error(), "\n")

	_, err = vms.OpenImage(t.Context(), t.TempDir(), nil)
	require.ErrorIs(t, err, vms.ErrMissing)
	_, err = vms.StartTarget(t.Context(), vms.TargetConfig{})
	require.ErrorIs(t, err, vms.ErrMissing)
}
