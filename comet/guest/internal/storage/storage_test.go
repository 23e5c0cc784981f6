package storage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

func TestADiskIsAttachedFormattedAndMounted(t *testing.T) {
	v := newVM(t)
	disk := v.disk(target, 1, 8)
	v.write("secrets/"+target, secret)
	e := v.element("dev0", 1)
	e.ChapUser, e.ChapSecret, e.FSOptions, e.MountPoint = "user", scope.Hide(secret), "-F -b 1024 -L data", "/srv/with a blank"
	v.want(e)

	report := v.done()
	assert.Equal(t, 1, report.Plan.Count)
	assert.Empty(t, report.Plan.Notes)
	assert.Equal(t, []string{e.MountPoint}, v.mounts())
	uuid := v.uuid(disk)
	assert.Contains(t, v.read("/etc/fstab"), "UUID="+uuid+"\t/srv/with\\040a\\040blank\text4\t_netdev,nofail\t0\t0\n")
	assert.Equal(t, "InitiatorName="+iqn+"\n", v.read("/etc/iscsi/initiatorname.iscsi"))
	assert.Equal(t, "\n", v.iscsid(), "it reads its name when it starts")

	record := fmt.Sprintf("/etc/iscsi/nodes/%s/127.0.0.1,%d,1/default", target, v.port)
	assert.Contains(t, v.read(record), "node.session.auth.password = "+secret+"\n")
	assert.Contains(t, v.read(record), "node.startup = automatic\n")
	info, err := os.Stat(record)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	called := v.called()
	assert.NotContains(t, called, "xyzzy")
	for _, text := range append(report.Done, v.read("/var/lib/comet-guest/vm/storage.json")) {
		assert.NotContains(t, text, "xyzzy")
	}

	require.NoError(t, os.WriteFile("/srv/with a blank/file", []byte("data"), 0o600))
	v.done()
	assert.Empty(t, v.called(), "what is in place needs no program")

	v.reboot()
	report = v.done()
	assert.Equal(t, []string{"attach dev0, LUN 1 at 127.0.0.1:" + e.TargetPort, "mount dev0 at " + e.MountPoint}, report.Done)
	assert.Equal(t, "data", v.read("/srv/with a blank/file"))
	assert.Equal(t, uuid, v.uuid(disk))
}

func TestManyDisksSideBySide(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.disk(target, 10, 8)
	v.disk(target2, 2, 8)
	v.write("secrets/"+target2, secret)
	alone := v.element("dev1", 2)
	alone.ChapUser, alone.ChapSecret = "user", scope.Hide("wrong")
	v.want(v.element("dev0", 1), alone, v.element("dev2", 10))

	report := v.run()
	require.Error(t, report.Err)
	for range 5 { // each pass is stopped by the disk that fails
		report = v.apply()
		require.NoError(t, v.module.Wait(t.Context()))
	}
	assert.ElementsMatch(t, []string{"/srv/dev0", "/srv/dev2"}, v.mounts())
	assert.ErrorContains(t, report.Err, "the target "+target2+" refuses targetChapUser or targetChapSecret")
	assert.NotContains(t, report.Err.Error(), "wrong")
	assert.Len(t, report.Plan.Steps, 1)
	assert.Contains(t, v.read(fmt.Sprintf("/etc/iscsi/nodes/%s/127.0.0.1,%d,1/default", target2, v.port)), "node.startup = manual\n")

	v.wanted.Elements[1].ChapSecret = scope.Hide(secret)
	v.done()
	assert.ElementsMatch(t, []string{"/srv/dev0", "/srv/dev1", "/srv/dev2"}, v.mounts())
}

// 10.0.0.1 is not 10.0.0.10, and 1 is not 10.
func TestDisksAreToldApartByWholeFields(t *testing.T) {
	v := newVM(t)
	v.port = v.listen("tcp4", "0.0.0.0:0")
	v.listen("tcp6", fmt.Sprintf("[::]:%d", v.port))
	for _, address := range []string{"10.0.0.1/32", "10.0.0.10/32", "2001:db8::1/128"} {
		netns.Address(t, "lo", address)
	}
	v.disk(target, 10, 8)
	v.offer("10.0.0.10", target)
	v.offer("2001:db8::1", target)
	e := v.element("dev0", 10)
	e.TargetIP = "10.0.0.10"
	v.want(e)
	v.done()

	e1 := v.element("dev1", 1)
	e1.TargetIP = "10.0.0.1"
	e2 := v.element("dev2", 1)
	e2.TargetIP = "10.0.0.10"
	v.want(e, e1, e2)
	report := v.run()
	assert.ErrorContains(t, report.Err, "the portal 10.0.0.1:")
	v.want(e, e2)
	report = v.done()
	assert.Contains(t, said(report, "storage dev2"), "waiting: logged in, but there is no LUN 1 at 10.0.0.10:")
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())

	later := v.disk(target, 1, 8) // which came to the target after the login
	v.restart()
	v.done()
	assert.ElementsMatch(t, []string{"/srv/dev0", "/srv/dev2"}, v.mounts())

	assert.NotEmpty(t, v.uuid(later))
}

func TestOneDiskByTwoWays(t *testing.T) {
	v := newVM(t)
	v.port = v.listen("tcp4", "0.0.0.0:0")
	v.listen("tcp6", fmt.Sprintf("[::]:%d", v.port))
	netns.Address(t, "lo", "2001:db8::2/128")
	v.disk(target, 1, 8)
	v.offer("2001:db8::2", target)
	one, other := v.element("dev0", 1), v.element("dev1", 1)
	one.TargetIP = "2001:db8:0::2"
	v.want(one, other)
	report := v.done()
	assert.Contains(t, v.called(), fmt.Sprintf("-p [2001:db8::2]:%d --login", v.port))
	assert.Contains(t, said(report, "storage dev1"), "is the disk of dev0, by another way, or a copy of it: it is left alone")
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
}

func TestSeveralTargetsWithOneNumber(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.disk(target2, 1, 8)
	v.write("secrets/"+target, "first")
	v.write("secrets/"+target2, "second")
	a, b := v.element("dev0", 1), v.element("dev1", 1)
	a.ChapUser, a.ChapSecret = "a", scope.Hide("first")
	b.ChapUser, b.ChapSecret = "b", scope.Hide("second")
	v.want(a, b)
	v.done()
	assert.ElementsMatch(t, []string{"/srv/dev0", "/srv/dev1"}, v.mounts())
}

func TestADiskThatCannotBeToldFromAnother(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.disk(target2, 1, 8)
	v.want(v.element("dev0", 1))
	report := v.done()
	assert.Contains(t, said(report, "storage dev0"), "warning: 2 targets have LUN 1 at 127.0.0.1:")
	assert.Empty(t, v.mounts())
}

func TestTheInitiatorsName(t *testing.T) {
	const file = "/etc/iscsi/initiatorname.iscsi"
	v := newVM(t)
	v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	netns.Write(t, file, "# of the image\nInitiatorName=iqn.1993-08.org.debian:01:abc\nInitiatorAlias=x\n", 0o600)
	v.write("sessions", "tcp: [7] 192.0.2.1:3260,1 iqn.2026-01.org.example:else (non-flash)\n")
	report := v.done()
	assert.Contains(t, said(report, "initiator name"), "warning: /etc/iscsi/initiatorname.iscsi has another one")
	assert.Empty(t, v.mounts())

	v.write("sessions", "")
	v.done()
	assert.Equal(t, "# of the image\nInitiatorAlias=x\nInitiatorName="+iqn+"\n", v.read(file))
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())

	for _, name := range []string{"", "vm", "iqn.x/../y", "iqn.x\nInitiatorName=iqn.y", "-x"} {
		v := newVM(t)
		v.disk(target, 1, 8)
		v.settings.Initiator = name
		v.restart()
		v.want(v.element("dev0", 1))
		report := v.done()
		assert.Contains(t, said(report, "iscsi_initiator_iqn"), "no disk is touched", name)
		assert.Empty(t, report.Done)
		assert.Empty(t, v.called())
		assert.NoFileExists(t, file)
	}
}

// A disk that has moved is another one as long as it is mounted where it was.
func TestADiskThatMoves(t *testing.T) {
	v := newVM(t)
	v.port = v.listen("tcp4", "0.0.0.0:0")
	v.disk(target, 1, 8)
	v.offer("127.0.0.2", target)
	e := v.element("dev0", 1)
	v.want(e)
	v.done()
	require.NoError(t, os.WriteFile("/srv/dev0/file", []byte("data"), 0o600))
	e.TargetIP = "127.0.0.2"
	v.want(e)
	report := v.done()
	assert.Contains(t, said(report, "storage dev0"), "is the disk of dev0, by another way, or a copy of it: it is left alone")
	require.NoError(t, unmount("/srv/dev0"))
	v.done()
	assert.Equal(t, "data", v.read("/srv/dev0/file"))
}

func TestACopyOfADisk(t *testing.T) {
	v := newVM(t)
	disk := v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	v.done()
	require.NoError(t, unmount("/srv/dev0"))
	content, err := os.ReadFile(disk)
	require.NoError(t, err)
	v.done()
	copied := v.disk(target, 2, 8)
	put(t, copied, 0, string(content))
	v.want(v.element("dev0", 1), v.element("dev1", 2))
	v.restart()
	report := v.done()
	assert.Contains(t, said(report, "storage dev1"), "or a copy of it: it is left alone")
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
}

// The name of a disk is no more than that.
func TestADiskWithAnotherName(t *testing.T) {
	v := newVM(t)
	disk := v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	v.done()
	uuid := v.uuid(disk)
	e := v.element("data", 1)
	e.MountPoint = "/srv/dev0"
	v.want(e)
	v.done()
	assert.Equal(t, uuid, v.uuid(disk))
	v.reboot()
	v.done()
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
	assert.Contains(t, v.read("/etc/fstab"), "UUID="+uuid+"\t/srv/dev0")
}

// A session that the guest has not begun is used, and never ended.
func TestSessionsOfOthers(t *testing.T) {
	v := newVM(t)
	disk := v.disk(target, 1, 8)
	v.write("sessions", fmt.Sprintf("tcp: [7] 127.0.0.1:%d,1 %s (non-flash)\n", v.port, target))
	link := filepath.Join(v.world, "by-path", fmt.Sprintf("ip-127.0.0.1:%d-iscsi-%s-lun-1", v.port, target))
	require.NoError(t, os.Symlink(disk, link))
	v.want(v.element("dev0", 1))
	v.done()
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
	require.NoError(t, unmount("/srv/dev0"))
	v.want()
	v.done()
	assert.Empty(t, v.called())
	assert.FileExists(t, link)

	e := v.element("dev0", 1)
	e.ShouldAttach = "no"
	v.want(e)
	v.done()
	assert.Empty(t, v.called())
}

func unmount(at string) error { return unix.Unmount(at, 0) }
