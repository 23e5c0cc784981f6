package vms_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/cmd/internal/vms"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

const (
	initiator  = "iqn.2012-02.net.exogeni:workers-0"
	chapUser   = "34k7al10"
	chapSecret = "cn49mna8rj1ni6kpa6rg34q9n0"
	dataMAC    = "52:54:00:00:02:00"
)

// refusing is a second target, whose secret the aggregate manager has wrong.
var refusing = netip.MustParseAddrPort("172.31.254.11:3260")

// sparse makes a disk of 64 MiB with nothing on it.
func sparse(t *testing.T, name string) string {
	t.Helper()
	disk := filepath.Join(t.TempDir(), name)
	writeFile(t, disk, "")
	require.NoError(t, os.Truncate(disk, 64<<20))
	return disk
}

func target(t *testing.T, name string, at netip.AddrPort, secret string, disks ...string) *vms.Target {
	t.Helper()
	target, err := vms.StartTarget(t.Context(), vms.TargetConfig{IQN: "iqn.2026-01.net.example:" + name, Portal: at, Disks: disks, User: chapUser, Secret: secret})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, target.Close()) })
	return target
}

// keyPair makes an SSH key pair.
func keyPair(t *testing.T) (private, public string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	line, err := ssh.NewPublicKey(pub)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(line)))
}

func disk(name string, at netip.AddrPort, lun int) scope.Storage {
	return scope.Storage{
		Device: name, Type: "iscsi", TargetIP: at.Addr().String(), TargetPort: "3260", TargetLUN: strconv.Itoa(lun),
		ChapUser: chapUser, ChapSecret: scope.Hide(chapSecret), ShouldAttach: "yes",
		FSType: "ext4", FSOptions: "-F -b 2048", ShouldFormat: "yes", MountPoint: "/mnt/" + name,
	}
}

// families is what the aggregate manager puts down.
func families(key string) am.Families {
	counting := "#!/bin/bash\necho %[1]s >>/root/ran; echo out of %[1]s; exit %[2]d\n"
	return am.Families{
		Users:      []scope.User{{Login: "bob", Sudo: "yes", Keys: scope.KeyText{key}}},
		Interfaces: []scope.Interface{{MAC: strings.ReplaceAll(dataMAC, ":", ""), State: "up", IPVersion: "ipv4", IP: "172.16.1.10/24", HostEth: "eth0"}},
		Storage:    []scope.Storage{disk("blank", portal, 1), disk("refused", refusing, 1), disk("used", portal, 2)},
		Routes:     []scope.Route{{Network: "172.16.2.0/24", NextHop: "172.16.1.1"}},
		Scripts: []scope.Script{
			{Name: "script_7", Body: scope.Hide(fmt.Sprintf(counting, "seven", 0))},
			{Name: "script_8", Body: scope.Hide(fmt.Sprintf(counting, "eight", 3))},
			{Name: "bootscript", Body: scope.Hide(fmt.Sprintf(counting, "boot", 0))},
		},
	}
}

// What an aggregate manager puts down becomes true of a VM, stays true over reboots, and is done once; in a slice of a thousand VMs the
// guest is small though it does all that.
func TestAVMIsConfiguredOnce(t *testing.T) {
	s := newSlice(t)
	private, public := keyPair(t)
	blank, used := sparse(t, "blank"), sparse(t, "used")
	out, err := exec.Command("mke2fs", "-q", "-L", "precious", used).CombinedOutput()
	require.NoError(t, err, "%s", out)
	disks := target(t, "disks", portal, chapSecret, blank, used)
	closed := target(t, "closed", refusing, "another1secret", sparse(t, "closed"))

	told := s.member(0)
	s.others(999)
	told.InitiatorIQN, told.Router = initiator, "true"
	own := scope.NewTokens()
	told.ReadToken = own.Read
	require.NoError(t, am.Publish(t.Context(), s.heads.Client(), orca.Unit{Identity: told.Identity, Tokens: own}, families(public)))

	c := s.config(0, told)
	c.Forward[portal], c.Forward[refusing] = disks.Addr(), closed.Addr()
	mac, err := net.ParseMAC(dataMAC)
	require.NoError(t, err)
	c.Cables = []vms.Cable{{Link: &s.link, MAC: mac}}
	c.Files = vms.Files{"root/bob.key": {Mode: 0o600, Content: private}}
	m := machineOf(t, c)

	m.start()
	m.configured()
	first := m.identity()
	resident := m.resident()
	t.Logf("%d KiB resident", resident)
	assert.Less(t, resident, 20<<10, "KiB")
	m.run("echo kept >/mnt/blank/file")
	m.reboot()
	m.configured()
	assert.Equal(t, first, m.identity(), "nothing is formatted again")
	assert.Equal(t, "kept\n", m.run("cat /mnt/blank/file"))

	s.heads.Stop(0)
	s.heads.Stop(1)
	m.run("rm /home/bob/.ssh/authorized_keys")
	m.reboot()
	m.until("mountpoint -q /mnt/blank && ip route show 172.16.2.0/24 | grep -q . && grep -q ^ssh- /home/bob/.ssh/authorized_keys")
	assert.Equal(t, "boot\nseven\neight\n", m.run("cat /root/ran"))
	assert.Equal(t, first, m.identity(), "without heads the last that was known holds")

	m.run("systemctl stop comet-guest.service")
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	require.NoError(t, m.PowerOff(ctx))
	out, err = exec.Command("e2label", used).CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "precious\n", string(out))
}

// resident is how much memory the guest has resident, in KiB.
func (m *machine) resident() int {
	m.t.Helper()
	kib, err := strconv.Atoi(strings.TrimSpace(m.run("awk '/^VmRSS/ {print $2}' /proc/$(systemctl show -P MainPID comet-guest.service)/status")))
	require.NoError(m.t, err)
	return kib
}

// identity is what formatting the disk again would change.
func (m *machine) identity() string {
	m.t.Helper()
	return m.run("findmnt -no UUID,FSTYPE /mnt/blank")
}

// configured waits until all is as it is wanted, and looks.
func (m *machine) configured() {
	m.t.Helper()
	m.until("mountpoint -q /mnt/blank && ip route show 172.16.2.0/24 | grep -q . && [ \"$(wc -l </root/ran)\" = 3 ]")
	m.until("[ \"$(grep -c 'workers-' /etc/hosts)\" -ge 1000 ] && [ \"$(grep -c ^ssh- .ssh/authorized_keys)\" -ge 999 ]")
	m.until("grep -q 'closed refuses targetChapUser or targetChapSecret' /run/comet-guest/status.json")
	for command, want := range map[string]string{
		"hostname":      "workers-0\n",
		"cat /root/ran": "boot\nseven\neight\n",
		"ip route show 172.16.2.0/24 | cut -d' ' -f1-3":     "172.16.2.0/24 via 172.16.1.1\n",
		"ip -br address show | grep -o ' 172.16.1.10/24'":   " 172.16.1.10/24\n",
		"cat /proc/sys/net/ipv4/ip_forward":                 "1\n",
		"tail -qn1 /var/lib/comet-guest/*/scripts/*/*8.log": "out of eight\n",
		"ssh -i bob.key -o BatchMode=yes -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR bob@localhost sudo -n id -un": "root\n",
		"blkid -o value -s LABEL /dev/disk/by-path/*:disks-lun-2": "precious\n",
	} {
		assert.Equal(m.t, want, m.run(command), command)
	}
	status := m.run("comet-guest status || :")
	m.t.Log("\n" + status)
	for _, says := range []string{"storage used: /dev/sd", "holds ext2: it is left alone", "refuses targetChapUser", "ended with status 3"} {
		assert.Contains(m.t, status, says)
	}
	assert.Equal(m.t, "storage: attach refused, LUN 1 at 172.31.254.11:3260\n6\n", m.run("comet-guest plan 2>/dev/null; echo $?"), "nothing else would change")
	_, err := m.try("! grep -r " + chapSecret + " /run/comet-guest /var/log; ! journalctl | grep " + chapSecret)
	assert.NoError(m.t, err, "secrets in no log")
}
