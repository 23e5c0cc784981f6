package interfaces_test

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/interfaces"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

const (
	unmanaged1 = "/etc/systemd/network/05-comet-guest-fa163e000001.network"
	unmanaged2 = "/etc/systemd/network/05-comet-guest-fa163e000002.network"
	unmanaged  = "/etc/NetworkManager/conf.d/90-comet-guest.conf"
)

func TestNetworkdLeavesTheInterfacesAlone(t *testing.T) {
	v := newVM(t)
	called := netns.Program(t, "networkctl")
	netns.Write(t, "/run/systemd/netif/state", "", 0o644)
	netns.Write(t, "/etc/systemd/network/10-theirs.network", "theirs", 0o644)
	netns.Card(t, "eth1", mac1)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"), ipv4(mac2, "down", ""), ipv4("fa:16:3e:00:00:00", "up", ""))
	assert.Equal(t, []string{
		"write " + unmanaged1, "write " + unmanaged2, "run networkctl reload",
		"set eth1 (" + mac1 + ") up", "set address 172.16.1.10/24 on eth1 (" + mac1 + ")",
	}, v.done().Done)
	assert.Contains(t, read(t, unmanaged1), "\n[Match]\nMACAddress=fa:16:3e:00:00:01\nType=ether\n\n[Link]\nUnmanaged=yes\n")
	assert.NoFileExists(t, "/etc/systemd/network/05-comet-guest-fa163e000000.network", "the management interface is theirs")

	v.wanted.Elements, v.wanted.Whole = nil, false
	v.done()
	assert.FileExists(t, unmanaged1, "not all is known")
	v.want(ipv4(mac1, "up", "172.16.1.10/24"), ipv4(mac2, "user", ""))
	v.done()
	assert.NoFileExists(t, unmanaged2)
	v.want()
	v.done()
	assert.NoFileExists(t, unmanaged1)
	assert.Equal(t, "theirs", read(t, "/etc/systemd/network/10-theirs.network"))
	assert.Equal(t, "reload\nreload\nreload\n", called())
}

// An interface may turn out to be the management's only after the programs were told to leave it alone.
func TestTheManagementInterfaceStaysTheirs(t *testing.T) {
	v := newVM(t)
	called := netns.Program(t, "networkctl")
	netns.Program(t, "nmcli")
	netns.Write(t, "/run/systemd/netif/state", "", 0o644)
	netns.Write(t, "/run/NetworkManager/pid", "", 0o644)
	netns.Card(t, "eth1", mac1)
	netns.Card(t, "eth2", mac2)
	v.want(ipv4(mac1, "up", ""), ipv4(mac2, "up", ""))
	v.done()
	assert.Contains(t, read(t, unmanaged), mac1)

	require.NoError(t, netlink.RouteDel(&netlink.Route{Dst: network.IPNet(netip.MustParsePrefix("0.0.0.0/0"))}))
	netns.Address(t, "eth1", "10.98.0.10/24")
	netns.Route(t, "0.0.0.0/0", "10.98.0.1")
	v.done()
	assert.NoFileExists(t, unmanaged1)
	assert.FileExists(t, unmanaged2)
	assert.NotContains(t, read(t, unmanaged), mac1)
	assert.Contains(t, read(t, unmanaged), mac2)
	assert.Equal(t, "reload\nreload\n", called())
}

// When a machine starts, its management interface may have no address yet: told to leave it alone, nobody would ask for one.
func TestNobodyIsToldBeforeTheManagementInterfaceIsKnown(t *testing.T) {
	v := newVM(t)
	called := netns.Program(t, "networkctl")
	netns.Write(t, "/run/systemd/netif/state", "", 0o644)
	netns.Unaddress(t, "eth0", "10.99.0.10/24") // and the route goes with it
	netns.Card(t, "eth1", mac1)
	v.want(ipv4("fa:16:3e:00:00:00", "up", ""), ipv4(mac1, "up", "172.16.1.10/24"))
	report := v.done()
	assert.NoDirExists(t, "/etc/systemd/network")
	assert.Equal(t, []frame.NoteKind{frame.Waiting}, kinds(report.Plan.Notes, "systemd-networkd"))
	assert.Equal(t, []string{"172.16.1.10/24"}, netns.Addresses(t, "eth1"))
	assert.Empty(t, called())

	netns.Address(t, "eth0", "10.99.0.10/24")
	netns.Route(t, "0.0.0.0/0", "10.99.0.1")
	v.done()
	assert.FileExists(t, unmanaged1)
	assert.NoFileExists(t, "/etc/systemd/network/05-comet-guest-fa163e000000.network")
	assert.Equal(t, "reload\n", called())
}

func TestNetworkManagerLeavesTheInterfacesAlone(t *testing.T) {
	v := newVM(t)
	called := netns.Program(t, "nmcli")
	v.want(ipv4(mac1, "up", "172.16.1.10/24"), ipv4(mac2, "up", ""))
	v.done()
	assert.NoDirExists(t, "/etc/NetworkManager", "it is not there")
	netns.Write(t, "/run/NetworkManager/pid", "", 0o644)
	v.done()
	assert.Contains(t, read(t, unmanaged), "\n[keyfile]\nunmanaged-devices+=mac:fa:16:3e:00:00:01;mac:fa:16:3e:00:00:02\n")
	v.want(ipv4(mac2, "up", ""))
	v.wanted.Whole = false
	v.done()
	assert.Contains(t, read(t, unmanaged), mac1)
	v.want(ipv4(mac2, "up", ""))
	v.done()
	assert.NotContains(t, read(t, unmanaged), mac1)
	v.want()
	v.done()
	assert.NoFileExists(t, unmanaged)
	assert.Equal(t, "general reload conf\ngeneral reload conf\ngeneral reload conf\n", called())
}

// A program that cannot be told is no reason to go without addresses, and is told again.
func TestAFailedReloadIsTriedAgain(t *testing.T) {
	v := newVM(t)
	netns.Write(t, "/run/systemd/netif/state", "", 0o644)
	netns.Write(t, "/usr/sbin/networkctl", "#!/bin/sh\necho broken >&2\nexit 1\n", 0o755)
	netns.Card(t, "eth1", mac1)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	report := v.apply()
	require.ErrorContains(t, report.Err, "run networkctl reload: networkctl: exit status 1: broken")
	assert.Equal(t, []string{"172.16.1.10/24"}, netns.Addresses(t, "eth1"))
	called := netns.Program(t, "networkctl")
	v.done()
	assert.Equal(t, "reload\n", called())
}

func TestAnOldNetworkdReadsAtTheNextBoot(t *testing.T) {
	v := newVM(t)
	netns.Write(t, "/run/systemd/netif/state", "", 0o644)
	netns.Write(t, "/usr/sbin/networkctl", "#!/bin/sh\necho 'Unknown operation reload.' >&2\nexit 1\n", 0o755)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	v.done()
	assert.FileExists(t, unmanaged1)
}

func TestAnOldNetworkManagerIsTold(t *testing.T) {
	v := newVM(t)
	netns.Write(t, "/run/NetworkManager/pid", "", 0o644)
	netns.Write(t, "/usr/sbin/nmcli", "#!/bin/sh\necho \"Error: argument 'reload' not understood. Try passing --help instead.\" >&2\nexit 2\n", 0o755)
	called := netns.Program(t, "systemctl")
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	v.done()
	assert.FileExists(t, unmanaged)
	assert.Equal(t, "kill --signal=HUP --kill-who=main NetworkManager.service\n", called())

	netns.Write(t, "/usr/sbin/systemctl", "#!/bin/sh\nexit 1\n", 0o755)
	v.want(ipv4(mac2, "up", "172.16.2.10/24"))
	v.done() // it reads at the next boot
	assert.Contains(t, read(t, unmanaged), mac2)
}

// Switched off, the guest leaves nobody without anyone who looks after an interface.
func TestSwitchedOffTheInterfacesAreTheirsAgain(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	off := func() frame.Report {
		r := frame.NewRunner(v.machine, 0, 0)
		r.Add(v.guest(), frame.Off)
		reports, err := r.Apply(t.Context())
		require.NoError(t, err)
		require.NoError(t, reports[0].Err)
		return reports[0]
	}
	assert.Empty(t, off().Done)
	networkctl, nmcli := netns.Program(t, "networkctl"), netns.Program(t, "nmcli")
	netns.Write(t, "/run/systemd/netif/state", "", 0o644)
	netns.Write(t, "/run/NetworkManager/pid", "", 0o644)
	netns.Write(t, "/etc/systemd/network/10-theirs.network", "theirs", 0o644)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"), ipv4(mac2, "up", ""))
	v.done()
	assert.Equal(t, []string{
		"remove " + unmanaged1, "remove " + unmanaged2, "run networkctl reload", "remove " + unmanaged, "run nmcli general reload conf",
	}, off().Done)
	assert.Empty(t, off().Done)
	assert.Equal(t, "theirs", read(t, "/etc/systemd/network/10-theirs.network"))
	assert.Equal(t, []string{"172.16.1.10/24"}, netns.Addresses(t, "eth1"))
	assert.Equal(t, "reload\nreload\n", networkctl())
	assert.Equal(t, "general reload conf\ngeneral reload conf\n", nmcli())

	v.done()
	v.want()
	v.done()
	assert.Empty(t, netns.Addresses(t, "eth1"), "the ledger knows them still")
}

func TestCleaning(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "clean", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	root := m.Root().Name()
	for _, file := range []string{unmanaged1, unmanaged2, unmanaged, "/etc/systemd/network/10-theirs.network", "/etc/NetworkManager/conf.d/theirs.conf"} {
		netns.Write(t, filepath.Join(root, file), "", 0o644)
	}
	for _, want := range [][]string{{"remove " + unmanaged1, "remove " + unmanaged2, "remove " + unmanaged}, nil} {
		steps, err := interfaces.Cleaning(m)
		require.NoError(t, err)
		assert.Equal(t, want, texts(frame.Plan{Steps: steps}))
		for _, s := range steps {
			require.NoError(t, s.Do(t.Context()))
		}
	}
	assert.FileExists(t, filepath.Join(root, "/etc/systemd/network/10-theirs.network"))
	assert.FileExists(t, filepath.Join(root, "/etc/NetworkManager/conf.d/theirs.conf"))
}

func TestIfupdownIsNoticed(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	netns.Card(t, "eth2", mac2)
	v.want(ipv4(mac1, "up", ""), ipv4(mac2, "up", ""))
	for text, named := range map[string]bool{
		"auto lo\niface lo inet loopback\niface eth0 inet dhcp\n": false,
		"auto eth2\n  iface eth2 inet dhcp\n":                     true,
		"allow-hotplug eth0 eth2=data\niface data inet dhcp\n":    true,
		"auto eth0 \\\n eth2\n":                                   true,
		"auto /mac/FA:16:3E:00:00:02=data\n":                      true,
		"auto /mac/fa:16:3e:00:00:*\n":                            true,
		"allow-hotplug /eth[2-9]\n":                               true,
		"#auto eth2\nno-auto-down eth2\nauto eth22 /mac/ /[ /\n":  false,
	} {
		netns.Write(t, "/etc/network/interfaces.d/50-cloud-init", text, 0o644)
		var about []string
		for _, n := range v.done().Plan.Notes {
			assert.Equal(t, frame.Warning, n.Kind)
			assert.Regexp(t, "^is eth[12], which /etc/network/interfaces.d/50-cloud-init configures too: take it out there$", n.Why)
			about = append(about, n.About)
		}
		assert.Equal(t, named, slices.Contains(about, mac2), text)
	}
}
