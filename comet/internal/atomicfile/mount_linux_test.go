package atomicfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

func TestReplaceMountPoint(t *testing.T) {
	if !needs.Mounts(t) {
		return
	}
	root, dir := folder(t, map[string]string{"outside": "old, and longer", "etc/hosts": ""})
	hosts := filepath.Join(dir, "etc/hosts")
	require.NoError(t, os.Chmod(filepath.Join(dir, "outside"), 0o640|os.ModeSetuid))
	needs.Mount(t, filepath.Join(dir, "outside"), hosts, "", unix.MS_BIND, "")
	before, err := os.Stat(hosts)
	require.NoError(t, err)

	for _, text := range []string{"new", "new, and longer than ever", ""} {
		result, err := atomicfile.Replace(root, "etc/hosts", []byte(text), atomicfile.ReplaceOptions{})
		require.NoError(t, err)
		require.Equal(t, atomicfile.Result{Changed: true, InPlace: true}, result)
		require.Equal(t, text, content(t, hosts))
		after, err := os.Stat(hosts)
		require.NoError(t, err)
		require.True(t, os.SameFile(before, after))
		require.Equal(t, before.Mode(), after.Mode())
		require.Empty(t, ourFiles(t, filepath.Dir(hosts)))
	}
}

// As in a container whose root is read-only and whose /etc/hosts comes from outside.
func TestReplaceMountPointInReadOnlyFolder(t *testing.T) {
	if !needs.Mounts(t) {
		return
	}
	root, dir := folder(t, map[string]string{"outside": "old", "state/x": "", "etc/hosts": "", "etc/passwd": "p"})
	etc := filepath.Join(dir, "etc")
	needs.Mount(t, etc, etc, "", unix.MS_BIND, "")
	needs.Mount(t, filepath.Join(dir, "outside"), filepath.Join(etc, "hosts"), "", unix.MS_BIND, "")
	require.NoError(t, unix.Mount("", etc, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))

	_, err := atomicfile.Replace(root, "etc/hosts", []byte("new"), atomicfile.ReplaceOptions{})
	require.ErrorIs(t, err, unix.EROFS, "no place for a backup")
	require.Equal(t, "old", content(t, etc, "hosts"))

	opts := atomicfile.ReplaceOptions{Backup: openRoot(t, filepath.Join(dir, "state"))}
	result, err := atomicfile.Replace(root, "etc/hosts", []byte("new"), opts)
	require.NoError(t, err)
	require.True(t, result.InPlace)
	require.Equal(t, "new", content(t, etc, "hosts"))

	_, err = atomicfile.Replace(root, "etc/passwd", []byte("new"), opts)
	require.ErrorIs(t, err, unix.EROFS)
	require.Equal(t, "p", content(t, etc, "passwd"))
	require.Empty(t, ourFiles(t, filepath.Join(dir, "state")))
}

func TestFullDisk(t *testing.T) {
	if !needs.Mounts(t) {
		return
	}
	root, dir := folder(t, map[string]string{"disk/x": "", "etc/hosts": "", "etc/x": ""})
	disk := filepath.Join(dir, "disk")
	needs.Mount(t, "tmpfs", disk, "tmpfs", 0, "size=64k")
	hosts := filepath.Join(disk, "hosts")
	old, long := strings.Repeat("old ", 1000), strings.Repeat("new ", 20000)
	require.NoError(t, os.WriteFile(hosts, []byte(old), 0o644))

	_, err := atomicfile.Replace(root, "disk/hosts", []byte(long), atomicfile.ReplaceOptions{})
	require.ErrorIs(t, err, unix.ENOSPC)
	require.Equal(t, old, content(t, hosts))
	require.ErrorIs(t, atomicfile.Write(hosts, []byte(long), atomicfile.Options{}), unix.ENOSPC)
	require.Equal(t, old, content(t, hosts))
	require.Empty(t, ourFiles(t, disk))

	// The disk under a mount point is full, that of the backup is not: the file breaks off in the middle and is put back.
	needs.Mount(t, hosts, filepath.Join(dir, "etc/hosts"), "", unix.MS_BIND, "")
	_, err = atomicfile.Replace(root, "etc/hosts", []byte(long), atomicfile.ReplaceOptions{})
	require.ErrorIs(t, err, unix.ENOSPC)
	require.Equal(t, old, content(t, hosts))
	require.Empty(t, ourFiles(t, filepath.Join(dir, "etc")))
}
