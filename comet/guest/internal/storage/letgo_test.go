package storage_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/storage"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

func TestDisksThatAreNotWantedAnyMore(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.disk(target2, 1, 8)
	other := v.element("dev1", 1)
	other.ChapUser, other.ChapSecret = "b", scope.Hide("b")
	v.write("secrets/"+target2, "b")
	v.write("secrets/"+target, "a")
	one := v.element("dev0", 1)
	one.ChapUser, one.ChapSecret = "a", scope.Hide("a")
	v.want(one, other)
	v.done()
	require.Len(t, v.mounts(), 2)

	v.wanted.Whole = false
	v.want(other)
	assert.Contains(t, said(v.done(), "storage"), "warning: what nobody asks for any more stays")
	assert.Contains(t, v.read("/etc/fstab"), "/srv/dev0", "nobody has said that it is not wanted")

	v.wanted.Whole = true
	report := v.done()
	assert.Equal(t, []string{"log in to " + target + " no more at boot", "write /etc/fstab"}, report.Done)
	assert.Regexp(t, "is not wanted any more, but /dev/loop[0-9]+ is mounted at /srv/dev0: it stays", said(report, "storage dev0"))
	assert.Len(t, v.mounts(), 2)
	assert.NotContains(t, v.read("/etc/fstab"), "/srv/dev0")

	require.NoError(t, os.Remove("/etc/fstab"))
	one.ShouldAttach = "NO"
	v.want(one, other)
	v.wanted.Whole = false
	require.NoError(t, unmount("/srv/dev0"))
	report = v.done()
	assert.Contains(t, report.Done, "log out of "+target)
	assert.Equal(t, []string{"/srv/dev1"}, v.mounts())
	assert.NotContains(t, v.read(filepath.Join(v.world, "sessions")), target)

	one.ShouldAttach = "yes"
	v.want(one, other)
	v.done()
	assert.ElementsMatch(t, []string{"/srv/dev0", "/srv/dev1"}, v.mounts())
}

// Each step that logs out leaves in the ledger what others have noted there.
func TestADiskOfTwoTargetsThatIsNotWantedAnyMore(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.disk(target2, 1, 8)
	v.want(v.element("dev0", 1))
	v.done()
	require.Contains(t, v.read(ledger), `"logins":["`+target+`","`+target2+`"]`)
	v.want()
	plan, err := v.module.Plan(t.Context())
	require.NoError(t, err)
	require.Len(t, plan.Steps, 2)
	for _, s := range plan.Steps {
		require.NoError(t, s.Do(t.Context()))
	}
	assert.NotContains(t, v.read(ledger), `"logins"`)
}

// What a target was to be logged in with is not kept for longer than that: an image of the machine would have it.
func TestNoSecretIsLeftOfALogin(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.write("secrets/"+target, "another")
	e := chap(v.element("dev0", 1))
	v.want(e)
	require.ErrorContains(t, v.run().Err, "refuses targetChapUser or targetChapSecret")
	assert.Empty(t, v.keeping(secret), "after a login that was refused")

	v.write("secrets/"+target, secret)
	v.restart()
	v.done()
	assert.NotEmpty(t, v.keeping(secret))
	require.NoError(t, unmount("/srv/dev0"))
	v.want()
	assert.Contains(t, v.done().Done, "log out of "+target)
	assert.Empty(t, v.keeping(secret), "after the log-out")
	steps, err := storage.Cleaning(v.machine)
	require.NoError(t, err)
	for _, s := range steps {
		assert.NotContains(t, s.Text, target, "nothing is left to clean")
	}

	v.want(e)
	v.done()
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
}

// keeping returns open-iscsi's files with some text.
func (v *vm) keeping(text string) (files []string) {
	v.Helper()
	for _, pattern := range []string{"/etc/iscsi/nodes/*/*/*", "/var/lib/iscsi/nodes/*/*/*"} {
		all, err := filepath.Glob(pattern)
		require.NoError(v, err)
		for _, file := range all {
			if strings.Contains(v.read(file), text) {
				files = append(files, file)
			}
		}
	}
	return files
}

// Of several targets that are in use each is kept from the next boot, also when that fails for one of them at first.
func TestTwoTargetsInUseThatAreNotWantedAnyMore(t *testing.T) {
	v := newVM(t)
	for i, at := range []string{target, target2} {
		disk, mount := v.disk(at, 1, 8), "/srv/"+strconv.Itoa(i)
		require.NoError(t, exec.Command("/usr/sbin/mkfs.ext4", "-q", disk).Run())
		require.NoError(t, os.Mkdir(mount, 0o755))
		require.NoError(t, unix.Mount(disk, mount, "ext4", 0, ""))
	}
	v.want(v.element("dev0", 1))
	v.done()
	program, fail := filepath.Join(v.world, "iscsiadm"), filepath.Join(v.world, "fail-update")
	netns.Write(t, program, v.read("/usr/sbin/iscsiadm"), 0o755)
	standIn(t, "iscsiadm", `case "$*" in *`+target2+`*update*) [ ! -e `+fail+` ] || exit 1; esac; exec `+program+` "$@"`)
	netns.Write(t, fail, "", 0o644)
	v.want()
	require.Error(t, v.apply().Err)
	require.NoError(t, os.Remove(fail))
	assert.Equal(t, []string{"log in to " + target2 + " no more at boot"}, v.done().Done)
	assert.Len(t, v.keeping("node.startup = manual"), 2)
}

// A guest before kept but one mark for all targets of a disk, which tells of none of them for certain.
func TestALedgerWithOneMarkForAllTargets(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	v.done()
	netns.Write(t, ledger, strings.Replace(v.read(ledger), `"logins"`, `"manual":true,"logins"`, 1), 0o600)
	v.restart()
	v.want()
	assert.Contains(t, v.done().Done, "log in to "+target+" no more at boot")
	assert.Len(t, v.keeping("node.startup = manual"), 1)
}
