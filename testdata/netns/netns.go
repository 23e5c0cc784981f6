// Package netns gives tests a machine of their own to work on: they run in a network, mount and user namespace in which they are root,
// with nothing but a loopback interface, and with empty folders in the place of those that they write. Linux only.
package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/testdata/needs"
)

const inside = "COMET_TEST_NETNS"

// folders are empty at the beginning of each test; programs in the last one are found before those of the system.
var folders = []string{"/etc", "/run", "/var/lib", "/usr/sbin"}

// Main runs the tests of a package in namespaces; call it from TestMain. Where there are none to be had, New skips the test.
func Main(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread() // with which the child would go
	err := again(unix.CLONE_NEWUSER)
	if err != nil && !exited(err) && os.Geteuid() == 0 { // as in containers
		err = again(0)
	}
	switch {
	case err == nil:
		os.Exit(0)
	case exited(err):
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// MainAsRoot is Main for tests that need what only root outside of a user namespace may do, such as mounting disks.
func MainAsRoot(m *testing.M) {
	if os.Getenv(inside) == "" && os.Geteuid() == 0 {
		runtime.LockOSThread()
		switch err := again(0); {
		case err == nil:
			os.Exit(0)
		case exited(err):
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func exited(err error) bool {
	_, ok := errors.AsType[*exec.ExitError](err)
	return ok
}

// again runs the same tests inside.
func again(flags uintptr) error {
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags | unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if flags != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return cmd.Run()
}

// New gives the test a network with nothing but a loopback interface, and empty folders.
func New(t *testing.T) {
	t.Helper()
	if os.Getenv(inside) == "" {
		needs.Missing(t, "no network namespace to be had: user namespaces are forbidden here, and only root does without")
	}
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	for _, folder := range folders {
		_ = unix.Unmount(folder, unix.MNT_DETACH)
		require.NoError(t, unix.Mount("tmpfs", folder, "tmpfs", 0, "mode=0755"), folder)
	}
	for _, l := range links(t) {
		if l.Attrs().Flags&net.FlagLoopback == 0 {
			_ = netlink.LinkDel(l) // some go with others
		}
	}
	require.NoError(t, netlink.LinkSetUp(Link(t, "lo")))
}

func links(t testing.TB) []netlink.Link {
	t.Helper()
	all, err := netlink.LinkList()
	require.NoError(t, err)
	return all
}

// Link returns a link by its name.
func Link(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	require.NoError(t, err, name)
	return l
}

// Card adds a network card, switched off, that is connected to one named like it with a p in front, which is on.
func Card(t testing.TB, name, mac string) netlink.Link {
	t.Helper()
	address, err := net.ParseMAC(mac)
	require.NoError(t, err)
	require.NoError(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: address}, PeerName: "p" + name}))
	require.NoError(t, netlink.LinkSetUp(Link(t, "p"+name)))
	return Link(t, name)
}

// Up switches a link on.
func Up(t testing.TB, name string) {
	t.Helper()
	require.NoError(t, netlink.LinkSetUp(Link(t, name)))
}

// Address gives a link an address, as somebody else than the guest would.
func Address(t testing.TB, name, prefix string) {
	t.Helper()
	a, err := netlink.ParseAddr(prefix)
	require.NoError(t, err)
	require.NoError(t, netlink.AddrAdd(Link(t, name), a))
}

// Unaddress takes an address away.
func Unaddress(t testing.TB, name, prefix string) {
	t.Helper()
	a, err := netlink.ParseAddr(prefix)
	require.NoError(t, err)
	require.NoError(t, netlink.AddrDel(Link(t, name), a))
}

// Addresses returns the addresses of a link, without those that the kernel makes itself.
func Addresses(t testing.TB, name string) (all []string) {
	t.Helper()
	list, err := netlink.AddrList(Link(t, name), netlink.FAMILY_ALL)
	require.NoError(t, err)
	for _, a := range list {
		if !a.IP.IsLinkLocalUnicast() {
			all = append(all, a.IPNet.String())
		}
	}
	return all
}

// Route adds a route as somebody else than the guest would.
func Route(t testing.TB, network, via string) {
	t.Helper()
	p := netip.MustParsePrefix(network)
	require.NoError(t, netlink.RouteAdd(&netlink.Route{
		Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())},
		Gw:  netip.MustParseAddr(via).AsSlice(), Protocol: unix.RTPROT_STATIC,
	}))
}

// Routes returns the routes of the main table that lead over gateways: "10.2.0.0/16 via 172.16.1.1 proto 67".
func Routes(t testing.TB) (all []string) {
	t.Helper()
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		list, err := netlink.RouteList(nil, family)
		require.NoError(t, err)
		for _, r := range list {
			if r.Gw != nil {
				all = append(all, fmt.Sprintf("%s via %s proto %d", r.Dst, r.Gw, int(r.Protocol)))
			}
		}
	}
	return all
}

// Management adds the card eth0 with an address and the default route.
func Management(t testing.TB) {
	t.Helper()
	Card(t, "eth0", "fa:16:3e:00:00:00")
	Up(t, "eth0")
	Address(t, "eth0", "10.99.0.10/24")
	Route(t, "0.0.0.0/0", "10.99.0.1")
}

// Listen moves the other end of a card to another network, gives it an address there, and accepts connections to it until the test
// ends. It returns where.
func Listen(t testing.TB, card, prefix string) (address string) {
	t.Helper()
	here, err := netns.Get()
	require.NoError(t, err)
	defer here.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	there, err := netns.New() // in which this thread is now
	require.NoError(t, err)
	t.Cleanup(func() { _ = there.Close() })
	require.NoError(t, netns.Set(here))
	require.NoError(t, netlink.LinkSetNsFd(Link(t, "p"+card), int(there)))
	require.NoError(t, netns.Set(there))
	Up(t, "p"+card)
	Address(t, "p"+card, prefix)
	l, err := net.Listen("tcp", net.JoinHostPort(netip.MustParsePrefix(prefix).Addr().String(), "0"))
	require.NoError(t, errors.Join(err, netns.Set(here)))
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// Reboot has the kernel say, until the test ends, that it has started anew. Nothing else changes.
func Reboot(t testing.TB) {
	t.Helper()
	const boot = "/proc/sys/kernel/random/boot_id"
	file := filepath.Join(t.TempDir(), "boot_id")
	Write(t, file, "00000000-0000-4000-8000-000000000000\n", 0o644)
	require.NoError(t, unix.Mount(file, boot, "", unix.MS_BIND, ""))
	t.Cleanup(func() { _ = unix.Unmount(boot, unix.MNT_DETACH) })
}

// Write makes a file, with the folders above it.
func Write(t testing.TB, file, content string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(content), mode))
}

// Program puts a program in the place of one of the system that notes its arguments, and returns what reads them.
func Program(t testing.TB, name string) (called func() string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), name)
	Write(t, filepath.Join("/usr/sbin", name), "#!/bin/sh\necho \"$@\" >> "+log+"\n", 0o755)
	return func() string {
		text, err := os.ReadFile(log)
		if !errors.Is(err, os.ErrNotExist) {
			require.NoError(t, err)
		}
		return string(text)
	}
}
