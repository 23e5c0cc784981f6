package identity_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

const driveEC2 = `{"instance-id":"i-0abc","public-ipv4":"","local-ipv4":"10.0.0.7","ami-id":null}`

func TestConfigDrives(t *testing.T) {
	for name, tt := range map[string]struct {
		drive          documents
		id, key, where string
	}{
		"user data":              {documents{osUserData: ini(t), osMetadata: metadata(t), driveFacts: driveEC2}, "i-0abc", iniKey, osUserData},
		"user data in EC2's way": {documents{driveUserData: ini(t), osUserData: ini(t), driveFacts: driveEC2}, "i-0abc", iniKey, driveUserData},
		"user data alone":        {documents{osUserData: ini(t), osMetadata: metadata(t)}, uuid, iniKey, osUserData},
		"metadata":               {documents{osMetadata: metadata(t), driveFacts: driveEC2}, uuid, metaKey, osMetadata},
		"metadata and a script":  {documents{osMetadata: metadata(t), osUserData: "#!/bin/sh\n"}, uuid, metaKey, osMetadata},
	} {
		t.Run(name, func(t *testing.T) {
			folder := tt.drive.folder(t)
			self := found(t, identity.ConfigDrive{Folder: folder})
			assert.Equal(t, tt.id, self.InstanceID)
			assert.Equal(t, tt.key, self.UserData.ReservationID.String())
			assert.Equal(t, tt.where == osMetadata, self.OpenStack)
			assert.Equal(t, folder+"/"+tt.where, self.Source)
			assert.False(t, self.Public.IsValid())
			if tt.drive[driveFacts] != "" {
				assert.Equal(t, addr("10.0.0.7"), self.Private)
			}
		})
	}
}

func TestConfigDrivesAreFoundWhereImagesMountThem(t *testing.T) {
	root := t.TempDir()
	drive := identity.ConfigDrive{Root: root}
	require.NoError(t, os.MkdirAll(filepath.Join(root, "mnt/config"), 0o755)) // empty: none is mounted there
	assert.Contains(t, refused(t, drive), "config drive: nothing for this VM (none is mounted, and no disk is labelled config-2)")
	for _, folder := range []string{"config-2", "media/configdrive", "mnt/config"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(folder)), 0o755))
		_ = os.Remove(filepath.Join(root, folder))
		require.NoError(t, os.Rename(documents{osMetadata: metadata(t)}.folder(t), filepath.Join(root, folder)))
		assert.Equal(t, filepath.Join(root, folder, osMetadata), found(t, drive).Source)
	}
}

func TestConfigDrivesLieBelowTheRoot(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "mnt"), 0o755))
	require.NoError(t, os.Symlink(documents{osMetadata: metadata(t)}.folder(t), filepath.Join(root, "mnt/config")))
	assert.Contains(t, refused(t, identity.ConfigDrive{Root: root}), "none is mounted")
}

func TestConfigDrivesThatAreNone(t *testing.T) {
	for name, tt := range map[string]struct {
		drive documents
		want  string
	}{
		"empty":             {documents{}, "openstack/latest/meta_data.json: nothing for this VM (it is not there)"},
		"broken":            {documents{osMetadata: `{"meta":{"slice_id":1}}`}, "must be mended: meta.slice_id: is not text"},
		"facts broken":      {documents{osMetadata: metadata(t), driveFacts: "hunter2"}, "ec2/latest/meta-data.json: is no JSON object"},
		"facts of numbers":  {documents{osMetadata: metadata(t), driveFacts: `{"instance-id":7}`}, "ec2/latest/meta-data.json: instance-id: is not text"},
		"facts that are no": {documents{osMetadata: metadata(t), driveFacts: `{"local-ipv4":"hunter2"}`}, "ec2/latest/meta-data.json: local-ipv4: is no IP address"},
		"uuid compressed":   {documents{osUserData: ini(t), osMetadata: compressed(t, metadata(t))[:99]}, "meta_data.json: it is compressed, and damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := tt.drive.folder(t)
			assert.Contains(t, refused(t, identity.ConfigDrive{Folder: folder}), "config drive "+folder+": ")
			assert.Contains(t, refused(t, identity.ConfigDrive{Folder: folder}), tt.want)
		})
	}
	assert.Contains(t, refused(t, identity.ConfigDrive{Folder: "/nowhere"}), "config drive /nowhere: nothing for this VM (it is not there)")

	// What the drive shows must be on the drive.
	outside := documents{"who": ini(t)}.folder(t)
	folder := documents{driveUserData: ""}.folder(t)
	require.NoError(t, os.Remove(filepath.Join(folder, driveUserData)))
	require.NoError(t, os.Symlink(filepath.Join(outside, "who"), filepath.Join(folder, driveUserData)))
	assert.Contains(t, refused(t, identity.ConfigDrive{Folder: folder}), "ec2/latest/user-data: path escapes from parent")
}

func TestAConfigDriveIsMountedForTheMoment(t *testing.T) {
	needs.Root(t, "mount")
	device := disk(t, documents{osMetadata: metadata(t), driveFacts: driveEC2})
	label := filepath.Join(t.TempDir(), "config-2")
	require.NoError(t, os.Symlink(device, label))
	set(t, identity.Labels, []string{"/nowhere", label})
	t.Setenv("TMPDIR", t.TempDir())

	assert.Contains(t, refused(t, identity.ConfigDrive{}), "config drive: mount "+label+": as iso9660: ")
	set(t, identity.FileSystems, []string{"iso9660", "ext4"})
	self := found(t, identity.ConfigDrive{})
	assert.Equal(t, uuid, self.InstanceID)
	assert.Equal(t, addr("10.0.0.7"), self.Private)
	assert.Equal(t, label+"/"+osMetadata, self.Source)

	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	assert.Empty(t, left)
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	assert.NotContains(t, string(mounts), "comet-config-drive")
	// Below another root nothing is mounted.
	assert.Contains(t, refused(t, identity.ConfigDrive{Root: t.TempDir()}), "none is mounted")
}

// disk makes a disk with the documents on it. What kind of file system it has is the kernel's affair, and all kernels know ext4.
func disk(t *testing.T, d documents) (device string) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	out, err := exec.Command(needs.Program(t, "mkfs.ext4", "e2fsprogs"), "-q", "-O", "^has_journal", "-d", d.folder(t), image, "1m").CombinedOutput()
	require.NoError(t, err, string(out))
	losetup := needs.Program(t, "losetup", "mount")
	out, err = exec.Command(losetup, "--find", "--show", "--read-only", image).CombinedOutput()
	if err != nil {
		needs.Missing(t, "no loop device is to be had: "+string(out))
	}
	device = strings.TrimSpace(string(out))
	t.Cleanup(func() { assert.NoError(t, exec.Command(losetup, "--detach", device).Run()) })
	return device
}

func set[T any](t *testing.T, at *T, to T) {
	before := *at
	t.Cleanup(func() { *at = before })
	*at = to
}
