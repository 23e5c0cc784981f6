package vms_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/vms"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

var debianWithGuest = sync.OnceValues(func() (vms.Image, error) {
	dir, err := os.MkdirTemp("", "packages-")
	if err != nil {
		return vms.Image{}, err
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("../../../.ci/package", dir, "comet-guest", "amd64", "deb").CombinedOutput(); err != nil {
		return vms.Image{}, fmt.Errorf("%w: %s", err, out)
	}
	packages, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(packages) != 1 {
		return vms.Image{}, fmt.Errorf("packages: %v, %w", packages, err)
	}
	deb, err := os.ReadFile(packages[0])
	if err != nil {
		return vms.Image{}, err
	}
	debian, err := debian()
	if err != nil {
		return vms.Image{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), bootTime)
	defer cancel()
	return debian.With(ctx, vms.Files{"root/comet-guest.deb": {Content: string(deb)}},
		"dpkg -i /root/comet-guest.deb\nrm /root/comet-guest.deb\n")
})

// withGuest is Debian with our package installed.
func withGuest(t *testing.T) vms.Image {
	t.Helper()
	image(t)
	i, err := debianWithGuest()
	require.NoError(t, err)
	return i
}

// slice is a slice of VMs under two heads.
type slice struct {
	*testing.T
	heads  *comettest.Heads
	id     scope.ContextID
	tokens scope.Tokens
	link   vms.Link
	image  vms.Image
}

const headName = "comet.example.net"

func newSlice(t *testing.T) *slice {
	t.Helper()
	s := &slice{T: t, id: scope.MustName("slice", "any", "any").Context, tokens: scope.NewTokens(), image: withGuest(t)}
	s.heads = comettest.Start(t, 2)
	certificate, err := s.heads.Authority().Server("head", headName, "127.0.0.1")
	require.NoError(t, err)
	for i := range 2 {
		s.heads.Present(i, certificate)
	}
	return s
}

// headAt is where VMs reach a head.
func headAt(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 31, 254, byte(1 + i)}), 8111)
}

// member is what the controller does for a VM, and what the VM is told of the slice.
func (s *slice) member(i int) orca.UserData {
	s.Helper()
	name := hostName(i)
	client := s.heads.Client()
	for family, value := range map[string][]byte{"hostsall": scope.Encode(scope.Host{HostName: name}), "pubkeysall": scope.Encode(scope.PubKey{})} {
		_, err := client.Write(s.Context(), scope.MustName("slice", family, name), s.tokens, value)
		require.NoError(s, err)
	}
	all := []string{"all"}
	return orca.UserData{
		Identity:   orca.Identity{SliceID: s.id, ReservationID: scope.MustName("slice", "any", name).Key, HostName: name},
		CometHost:  fmt.Sprintf("https://%s/,https://%s/", headAt(0), headAt(1)),
		CACert:     s.heads.Authority().Certificate().Raw,
		ServerName: headName,
		Slice:      orca.SliceAccess{Tokens: s.tokens, HostsRead: all, HostsWrite: all, PubKeysRead: all, PubKeysWrite: all},
	}
}

// others puts down what VMs of the numbers from 1 on would publish.
func (s *slice) others(n int) {
	s.Helper()
	client := s.heads.Client()
	for i := 1; i <= n; i++ {
		_, key := keyPair(s.T)
		host := scope.Host{HostName: hostName(i), IP: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}).String(), SSHHostKeys: key}
		for family, value := range map[string][]byte{"hostsall": scope.Encode(host), "pubkeysall": scope.Encode(scope.PubKey{PublicKey: key})} {
			_, err := client.Write(s.Context(), scope.MustName("slice", family, hostName(i)), s.tokens, value)
			require.NoError(s, err)
		}
	}
}

// config is of a VM that learns at the metadata address who it is, and reaches the heads.
func (s *slice) config(i int, told orca.UserData) vms.Config {
	s.Helper()
	text, err := told.INI()
	require.NoError(s, err)
	forward := map[netip.AddrPort]string{
		vms.Metadata: serve(s.T, vms.Told{UserData: string(text), PublicIP: address(i).String(), LocalIP: vms.ManagementIP.Addr().String()}),
	}
	for h := range 2 {
		u, err := url.Parse(s.heads.URL(h))
		require.NoError(s, err)
		forward[headAt(h)] = u.Host
	}
	return vms.Config{Name: "new-" + told.HostName, Image: s.image, Forward: forward}
}

// vm makes the VM of that number; it is off.
func (s *slice) vm(i int) *machine {
	s.Helper()
	c := s.config(i, s.member(i))
	c.Cables = []vms.Cable{{Link: &s.link, MAC: net.HardwareAddr{0x52, 0x54, 0, 0, 1, byte(i)}, Address: netip.PrefixFrom(address(i), 24)}}
	return machineOf(s.T, c)
}

func hostName(i int) string { return fmt.Sprintf("workers-%d", i) }

func address(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, 50, byte(10 + i)}) }

// startAll starts VMs at once.
func startAll(t *testing.T, all []*machine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	errs := make(chan error)
	for _, m := range all {
		go func() { errs <- m.Start(ctx) }()
	}
	var err error
	for range all {
		err = errors.Join(err, <-errs)
	}
	require.NoError(t, err)
}

// knowsAll waits until the VM has the addresses and keys of all others.
func (m *machine) knowsAll(i, of int) {
	m.t.Helper()
	for peer := range of {
		if peer != i {
			m.until(fmt.Sprintf("grep -qx '%s[[:space:]]%s' /etc/hosts && grep -q ' root@%[2]s$' .ssh/authorized_keys && grep -q '%[2]s' /etc/ssh/ssh_known_hosts", address(peer), hostName(peer)))
		}
	}
}

// The installed package, as a service that starts with the system, makes three VMs know each other.
func TestVMsOfASliceReachEachOther(t *testing.T) {
	s := newSlice(t)
	all := []*machine{s.vm(0), s.vm(1), s.vm(2)}
	startAll(t, all)
	for i, m := range all {
		m.knowsAll(i, len(all))
		assert.Equal(t, "active\n", m.run("systemctl is-active comet-guest.service"))
		assert.Equal(t, hostName(i)+"\n", m.run("hostname"))
	}
	ssh := func(from, to int) {
		t.Helper()
		m := all[from]
		m.run("ping -q -c 1 -W 20 " + hostName(to))
		out := m.run("ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null " + hostName(to) + " cat /etc/machine-id")
		assert.Equal(t, all[to].run("cat /etc/machine-id"), out)
	}
	ssh(0, 1)
	ssh(1, 2)
	ssh(2, 0)

	s.link.Cut(true)
	_, err := all[0].try("ping -q -c 1 -W 2 " + hostName(1))
	require.Error(t, err, "a link that is cut")
	s.link.Cut(false)

	s.heads.Stop(0)
	before := all[2].run("cat /etc/hosts .ssh/authorized_keys /etc/ssh/ssh_known_hosts")
	all[2].reboot()
	all[2].until("systemctl is-active comet-guest.service")
	assert.Equal(t, before, all[2].run("cat /etc/hosts .ssh/authorized_keys /etc/ssh/ssh_known_hosts"))
	all[2].knowsAll(2, len(all))
	all[2].until("journalctl -b -u comet-guest.service | grep -q started")
	ssh(2, 1)
	ssh(0, 2)
	for _, m := range all {
		assert.NotContains(t, strings.ToLower(m.run("journalctl -b -u comet-guest.service")), "panic")
	}
}
