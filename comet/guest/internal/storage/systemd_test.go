package storage_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

// EL7, Ubuntu 16.04 and Debian 9 have a systemd that knows units, and not all of systemd-run that is needed.
func TestWhereSystemdIsTooOld(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	require.NoError(t, os.MkdirAll("/run/systemd/system", 0o755))
	systemctl := netns.Program(t, "systemctl")
	standIn(t, "systemd-run", `[ "$1" = --version ] && echo "systemd 232"`)
	v.want(v.element("dev0", 1))
	v.done()
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
	assert.Equal(t, "restart iscsid.service\ndaemon-reload\n", systemctl())
}
