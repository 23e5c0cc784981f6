package atomicfile_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

func TestReplaceKeepsAttributes(t *testing.T) {
	root, dir := folder(t, map[string]string{"hosts": "old"})
	path := filepath.Join(dir, "hosts")
	big := make([]byte, 1500)
	setAttribute(t, path, "user.small", []byte("value"))
	setAttribute(t, path, "user.empty", nil)
	setAttribute(t, path, "user.big", big)
	setAttribute(t, path, "system.posix_acl_access", accessList(6, 4242))
	before := mode(t, path)

	result, err := atomicfile.Replace(root, "hosts", []byte("new"), atomicfile.ReplaceOptions{})

	require.NoError(t, err)
	require.Empty(t, result.Lost)
	require.Equal(t, "value", string(attribute(t, path, "user.small")))
	require.Empty(t, attribute(t, path, "user.empty"))
	require.Equal(t, big, attribute(t, path, "user.big"))
	require.Equal(t, accessList(6, 4242), attribute(t, path, "system.posix_acl_access"))
	require.Equal(t, before, mode(t, path))
}

func TestReplaceKeepsTheSecurityLabel(t *testing.T) {
	root, dir := folder(t, map[string]string{"hosts": "old"})
	path := filepath.Join(dir, "hosts")
	const label = "system_u:object_r:net_conf_t:s0\x00"
	setAttribute(t, path, "security.selinux", []byte(label))

	_, err := atomicfile.Replace(root, "hosts", []byte("new"), atomicfile.ReplaceOptions{})

	require.NoError(t, err)
	require.Equal(t, label, string(attribute(t, path, "security.selinux")))
}

// A new file inherits an access list from its folder; the file that it takes the place of did not let that user in.
func TestReplaceLetsNobodyElseIn(t *testing.T) {
	root, dir := folder(t, map[string]string{"keys": "old"})
	setAttribute(t, dir, "system.posix_acl_default", accessList(6, 4242))

	_, err := atomicfile.Replace(root, "keys", []byte("new"), atomicfile.ReplaceOptions{})

	require.NoError(t, err)
	_, err = unix.Getxattr(filepath.Join(dir, "keys"), "system.posix_acl_access", nil)
	require.ErrorIs(t, err, unix.ENODATA)
}

// accessList is an access list as the kernel stores it: rw for the owner and for one more user with the permissions given.
func accessList(perm uint16, uid uint32) []byte {
	const owner, user, group, mask, other, nobody = 1, 2, 4, 16, 32, 0xffffffff
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{owner, 6, nobody}, {user, perm, uid}, {group, 4, nobody}, {mask, 6, nobody}, {other, 4, nobody}} {
		list = binary.LittleEndian.AppendUint16(list, e.tag)
		list = binary.LittleEndian.AppendUint16(list, e.perm)
		list = binary.LittleEndian.AppendUint32(list, e.id)
	}
	return list
}

func setAttribute(t *testing.T, path, name string, value []byte) {
	t.Helper()
	err := unix.Setxattr(path, name, value, 0)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
		needs.Missing(t, fmt.Sprintf("%s cannot be set here: %v", name, err))
	}
	require.NoError(t, err)
}

func attribute(t *testing.T, path, name string) []byte {
	t.Helper()
	value := make([]byte, 4096)
	n, err := unix.Getxattr(path, name, value)
	require.NoError(t, err)
	return value[:n]
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode()
}
