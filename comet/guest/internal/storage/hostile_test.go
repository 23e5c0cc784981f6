package storage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

// What makes no sense is refused by the name of its field, and reaches no program; the rest is applied.
func TestHostileValues(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	v.done()
	v.called()
	for _, tt := range []struct {
		field  string
		change func(e *scope.Storage)
	}{
		{"device", func(e *scope.Storage) { e.Device = "../../etc/cron.d/x" }},
		{"device", func(e *scope.Storage) { e.Device = "-x" }},
		{"device", func(e *scope.Storage) { e.Device = ".." }},
		{"device", func(e *scope.Storage) { e.Device = "a b" }},
		{"device", func(e *scope.Storage) { e.Device = "" }},
		{"device", func(e *scope.Storage) { e.Device = strings.Repeat("x", 1<<20) }},
		{"device", func(e *scope.Storage) { e.Device = "dev0" }},
		{"storageType", func(e *scope.Storage) { e.Type = "nfs" }},
		{"targetIp", func(e *scope.Storage) { e.TargetIP = "10.0.0.1 -o delete" }},
		{"targetIp", func(e *scope.Storage) { e.TargetIP = "fe80::1%../../x" }},
		{"targetIp", func(e *scope.Storage) { e.TargetIP = "0.0.0.0" }},
		{"targetIp", func(e *scope.Storage) { e.TargetIP = "::ffff:10.0.0.1" }},
		{"targetPort", func(e *scope.Storage) { e.TargetPort = "3260,1" }},
		{"targetLun", func(e *scope.Storage) { e.TargetLUN = "1-part1" }},
		{"targetLun", func(e *scope.Storage) { e.TargetLUN = "65535" }},
		{"targetLun", func(e *scope.Storage) { e.TargetLUN = "1" }},
		{"targetChapUser", func(e *scope.Storage) { e.ChapUser = "" }},
		{"targetChapUser", func(e *scope.Storage) { e.ChapUser = "x\nnode.startup = manual" }},
		{"targetChapSecret", func(e *scope.Storage) { e.ChapSecret = scope.Hidden{} }},
		{"targetChapSecret", func(e *scope.Storage) { e.ChapSecret = scope.Hide("xyzzy\nnode.name = x") }},
		{"targetChapSecret", func(e *scope.Storage) { e.ChapSecret = scope.Hide("xyzzy ") }},
		{"targetChapSecret", func(e *scope.Storage) { e.ChapSecret = scope.Hide(strings.Repeat("xyzzy", 100)) }},
		{"targetShouldAttach", func(e *scope.Storage) { e.ShouldAttach = "perhaps" }},
		{"fsType", func(e *scope.Storage) { e.FSType = "../ext4" }},
		{"fsType", func(e *scope.Storage) { e.FSType = "" }},
		{"fsType", func(e *scope.Storage) { e.FSType = "-help" }},
		{"fsType", func(e *scope.Storage) { e.FSType = "ntfs" }},
		{"fsOptions", func(e *scope.Storage) { e.FSOptions = "-F /dev/sda" }},
		{"fsOptions", func(e *scope.Storage) { e.FSOptions = "; rm -rf /" }},
		{"fsShouldFormat", func(e *scope.Storage) { e.ShouldFormat = "force" }},
		{"fsMountPoint", func(e *scope.Storage) { e.MountPoint = "/" }},
		{"fsMountPoint", func(e *scope.Storage) { e.MountPoint = "/etc" }},
		{"fsMountPoint", func(e *scope.Storage) { e.MountPoint = "/usr/local/data" }},
		{"fsMountPoint", func(e *scope.Storage) { e.MountPoint = "/var/lib/comet-guest/vm" }},
		{"fsMountPoint", func(e *scope.Storage) { e.MountPoint = "/srv/../etc" }},
		{"fsMountPoint", func(e *scope.Storage) { e.MountPoint = "srv" }},
		{"fsMountPoint", func(e *scope.Storage) { e.MountPoint = "/srv/a\nUUID=x / ext4" }},
		{"fsMountPoint", func(e *scope.Storage) { e.MountPoint = "/srv/dev0/below" }},
		{"fsMountPoint", func(e *scope.Storage) { e.MountPoint = "/srv/" + strings.Repeat("x", 1<<20) }},
	} {
		e := v.element("dev1", 2)
		e.ChapUser, e.ChapSecret = "user", scope.Hide("xyzzy")
		if tt.field == "targetLun" {
			e.ChapUser, e.ChapSecret = "", scope.Hidden{}
		}
		tt.change(&e)
		v.want(v.element("dev0", 1), e)
		plan, err := v.module.Plan(t.Context())
		require.NoError(t, err)
		assert.Empty(t, plan.Steps, tt.field)
		assert.Equal(t, 1, plan.Count)
		if assert.Len(t, plan.Notes, 1, tt.field) {
			n := plan.Notes[0]
			assert.Equal(t, frame.LeftOut, n.Kind)
			assert.True(t, strings.HasPrefix(n.Why, tt.field+" "), "%s: %s", tt.field, n.Why)
			assert.Less(t, len(n.Why)+len(n.About), 300)
			assert.NotContains(t, n.Why, "xyzzy")
		}
	}
	assert.Empty(t, v.called())
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
}

// A note that changes from one look to the next would be news each time.
func TestOfTwoReasonsTheSameIsTold(t *testing.T) {
	v := newVM(t)
	e := v.element("dev0", 1)
	e.ChapUser, e.ChapSecret = "user ", scope.Hide("xyzzy ")
	v.want(e)
	for range 50 {
		plan, err := v.module.Plan(t.Context())
		require.NoError(t, err)
		require.Len(t, plan.Notes, 1)
		require.Regexp(t, "^targetChapUser ", plan.Notes[0].Why)
	}
}

// What handlers pass on for properties that nobody set is nothing.
func TestUnsetValues(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	e := v.element("dev0", 1)
	const unset = "${unit.storage0.fs.type}"
	e.ChapUser, e.ChapSecret, e.FSOptions, e.ShouldFormat, e.MountPoint, e.FSType = unset, scope.Hide(unset), unset, unset, unset, unset
	v.want(e)
	report := v.done()
	assert.Equal(t, 1, report.Plan.Count)
	assert.Empty(t, report.Plan.Notes)
	assert.Len(t, report.Done, 4, "the name, and the disk")
}

func TestMountPointsThatAreNotFree(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(t *testing.T)
		said    string
	}{
		"files in it":      {func(t *testing.T) { netns.Write(t, "/srv/dev0/file", "", 0o600) }, "is a folder that is not empty"},
		"a file":           {func(t *testing.T) { netns.Write(t, "/srv/dev0", "", 0o600) }, "leads over /srv/dev0, which is no folder"},
		"a link":           {func(t *testing.T) { require.NoError(t, os.Symlink("/etc", "/srv/dev0")) }, "leads over /srv/dev0"},
		"a folder of all":  {func(t *testing.T) { require.NoError(t, os.Chmod("/srv", 0o777)) }, "where others than root may write"},
		"somebody's line":  {func(t *testing.T) { netns.Write(t, "/etc/fstab", "/dev/sda1 /srv/dev0 xfs\n", 0o644) }, "in a line of somebody else"},
		"somebody's mount": {func(t *testing.T) { mountMemory(t, "/srv/dev0") }, "where something else is mounted"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			disk := v.disk(target, 1, 8)
			tt.prepare(t)
			fstab := v.read("/etc/fstab")
			v.want(v.element("dev0", 1))
			report := v.done()
			assert.Contains(t, said(report, "storage dev0"), "warning: fsMountPoint ")
			assert.Contains(t, said(report, "storage dev0"), tt.said)
			assert.Equal(t, fstab, v.read("/etc/fstab"))
			out, err := os.ReadFile("/proc/self/mountinfo")
			require.NoError(t, err)
			assert.NotContains(t, string(out), filepath.Base(disk)+" ")
		})
	}
}

func TestNeedsTheMachine(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	m, err := frame.Open(t.TempDir(), "vm", v.machine.Log)
	require.NoError(t, err)
	defer m.Close()
	v.machine = m
	v.restart()
	assert.ErrorIs(t, v.run().Err, frame.ErrNeedsRoot)
	assert.Empty(t, v.called())
}
