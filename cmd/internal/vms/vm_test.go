package vms_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/vms"
)

var portal = netip.MustParseAddrPort("172.31.254.10:3260")

// What one VM can do: be told who it is, run scripts, have a disk of an iSCSI target, and live through a power cut.
func TestVM(t *testing.T) {
	if os.Getenv("COMET_LONG") == "" {
		t.Skip("the other tests with VMs are about more than this: with COMET_LONG=1 it is there too")
	}
	debian := image(t)
	disk := filepath.Join(t.TempDir(), "disk")
	writeFile(t, disk, "")
	require.NoError(t, os.Truncate(disk, 64<<20))
	target, err := vms.StartTarget(t.Context(), vms.TargetConfig{
		IQN: "iqn.2026-01.net.example:disk", Portal: portal, Disks: []string{disk}, User: "chapuser", Secret: "chapsecret123",
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, target.Close()) }()

	m := machineOf(t, vms.Config{
		Name: "alone", Image: debian,
		Files: vms.Files{
			"etc/told":  {Content: "once"},
			"root/link": {Mode: os.ModeSymlink, Content: "/etc/told"},
			"root/prog": {Mode: 0o700, Content: "#!/bin/sh\necho ran; exit 7\n"},
		},
		Forward: map[netip.AddrPort]string{
			vms.Metadata: serve(t, vms.Told{UserData: "[global]\n", PublicIP: "192.0.2.7"}),
			portal:       target.Addr(),
		},
	})
	m.start()

	assert.Equal(t, "alone\n", m.run("hostname"))
	assert.Equal(t, "[global]\n", m.run("busybox wget -q -O - http://169.254.169.254/latest/user-data"))
	assert.Equal(t, "192.0.2.7", m.run("busybox wget -q -O - http://169.254.169.254/latest/meta-data/public-ipv4"))
	out, err := m.try("busybox wget -q -O - http://169.254.169.254/latest/meta-data/local-ipv4")
	require.ErrorContains(t, err, "404", out)

	out, err = m.try("cat /root/link; /root/prog >&2")
	var exit *vms.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 7, exit.Status)
	assert.Equal(t, "onceran\n", out)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = m.Run(ctx, "sleep 1000")
	require.Error(t, err)
	m.run("! pidof sleep")

	const login = `iscsiadm -m discovery -t sendtargets -p 172.31.254.10:3260
	set_() { iscsiadm -m node -T iqn.2026-01.net.example:disk -o update -n node.session.auth.$1 -v $2; }
	set_ authmethod CHAP; set_ username chapuser; set_ password $SECRET
	iscsiadm -m node -T iqn.2026-01.net.example:disk --login
	`
	const device = "/dev/disk/by-path/ip-172.31.254.10:3260-iscsi-iqn.2026-01.net.example:disk-lun-1"
	out, err = m.try("SECRET=wrongsecret12\n" + login)
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 24, exit.Status, out) // ISCSI_ERR_LOGIN_AUTH_FAILED of open-iscsi
	assert.Contains(t, out, "172.31.254.10:3260,1 iqn.2026-01.net.example:disk\n")
	m.run("SECRET=chapsecret123\n" + login)
	m.until("[ -b " + device + " ]")
	m.run("mkfs.ext4 -q " + device + " && mount " + device + " /mnt && echo kept >/mnt/kept && sync; echo kept >/root/kept && sync; echo new >/etc/told; sync")

	require.NoError(t, m.Cut())
	_, err = m.try("true")
	require.Error(t, err)
	m.start()
	assert.Equal(t, "kept\nnew\n", m.run("cat /root/kept /etc/told"), "what was synced is there, and not put down again")
	m.run("iscsiadm -m node -T iqn.2026-01.net.example:disk --login")
	m.until("[ -b " + device + " ]")
	assert.Equal(t, "kept\n", m.run("mount "+device+" /mnt && cat /mnt/kept && umount /mnt"))
	const node = "iscsiadm -m node -T iqn.2026-01.net.example:disk -p 172.31.254.10:3260 "
	_, err = m.try(node + "-o delete")
	require.Error(t, err, "there is a session")
	m.run(node + "--logout && " + node + "-o delete && ! grep -r chapsecret123 /etc/iscsi")
	out, err = m.try(node + "-o delete")
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 21, exit.Status, out) // ISCSI_ERR_NO_OBJS_FOUND
	ctx, cancel = context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	require.NoError(t, m.PowerOff(ctx))
}
