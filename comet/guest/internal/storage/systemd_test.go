package storage_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

// Where systemd runs the machine, what must not end with the guest, or not happen in its own view of the mounts, is its business.
func TestWhereSystemdRuns(t *testing.T) {
	v := newVM(t)
	disk := v.disk(target, 1, 8)
	require.NoError(t, os.MkdirAll("/run/systemd/system", 0o755))
	systemctl := netns.Program(t, "systemctl")
	modprobe := netns.Program(t, "modprobe")
	standIn(t, "systemd-run", `[ "$1" != --version ] || { echo "systemd 252 (252.38)"; exit; }
echo "$@" >>`+v.world+`/units; while [ "$1" != -- ]; do shift; done; shift
for word; do shift; set -- "$@" "$(printf %s "$word" | sed 's/[$][$]/$/g')"; done; exec "$@"`)
	v.want(v.element("dev0", 1))
	v.done()
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
	assert.Equal(t, "restart iscsid.service\ndaemon-reload\n", systemctl())
	assert.Empty(t, v.iscsid())
	assert.Equal(t, "-q iscsi_tcp\n", modprobe())
	const common = "--quiet --collect --no-ask-password --unit="
	log := "/var/lib/comet-guest/vm/storage/dev0"
	assert.Equal(t, common+"comet-iscsi-tcp.service --wait --pipe -- /usr/sbin/modprobe -q iscsi_tcp\n"+
		common+"comet-mkfs-dev0.service --wait --property=StandardOutput=file:"+log+".log --property=StandardError=inherit -- "+
		"/usr/bin/flock --exclusive --timeout 2 "+log+".lock /bin/sh -c SCRIPT comet-mkfs "+log+".made "+v.uuid(disk)+" "+disk+
		" /usr/sbin/mkfs.ext4 -U "+v.uuid(disk)+" -- "+disk+"\n"+
		common+"comet-mount-dev0.service --wait --pipe -- /usr/bin/mount -t ext4 -o _netdev,nofail -- "+disk+" /srv/dev0\n",
		regexp.MustCompile(`-c umask .* comet-mkfs `).ReplaceAllString(v.read(filepath.Join(v.world, "units")), "-c SCRIPT comet-mkfs "))
}

// EL7, Ubuntu 18.04 and Debian 9 have a systemd that would shut mounts in with the guest: it would count what nobody else sees.
func TestWhereSystemdIsTooOld(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	require.NoError(t, os.MkdirAll("/run/systemd/system", 0o755))
	netns.Program(t, "systemctl")
	version := func(n string) { standIn(t, "systemd-run", `[ "$1" = --version ] && echo "systemd `+n+`"`) }
	waits := func() {
		t.Helper()
		notes := v.done().Plan.Notes
		require.Len(t, notes, 1)
		assert.Equal(t, frame.Waiting, notes[0].Kind)
		assert.Equal(t, "needs systemd 239 or later: this is 238", notes[0].Why)
		assert.Empty(t, v.mounts())
	}
	version("238")
	v.want(v.element("dev0", 1))
	waits()
	require.NoError(t, os.RemoveAll("/run/systemd/system")) // so that there is a file system
	v.done()
	require.NoError(t, unix.Unmount("/srv/dev0", 0))
	require.NoError(t, os.MkdirAll("/run/systemd/system", 0o755))
	waits()
}
