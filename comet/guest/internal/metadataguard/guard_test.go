package metadataguard_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netns"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/metadataguard"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

func TestMain(m *testing.M) { frametest.Main(m) }

// metadata is a metadata service at its true address.
func metadata(t *testing.T) {
	t.Helper()
	needs.Program(t, "curl", "curl")
	run(t, needs.Program(t, "ip", "iproute2"), "link", "set", "lo", "up")
	run(t, "ip", "address", "add", "169.254.169.254/32", "dev", "lo")
	l, err := net.Listen("tcp", "169.254.169.254:80")
	require.NoError(t, err)
	serve(t, l)
}

func serve(t *testing.T, l net.Listener) {
	t.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("tokens")) })}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
}

func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", program, out)
	return string(out)
}

// tells reports whether the service tells a user something.
func tells(uid uint32) bool {
	cmd := exec.Command("curl", "-s", "--noproxy", "*", "http://169.254.169.254/")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, _ := cmd.Output()
	return string(out) == "tokens"
}

const nobody = 65534

// cloud is a metadata service beyond the machine, which passes on to it what a container asks. It reports whether that is answered.
func cloud(t *testing.T) (tells func() bool) {
	t.Helper()
	needs.Program(t, "curl", "curl")
	ip := needs.Program(t, "ip", "iproute2")
	for i, name := range []string{"cloud", "container"} {
		run(t, ip, "netns", "add", name)
		run(t, ip, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
		run(t, ip, "address", "add", fmt.Sprintf("10.9.%d.1/24", i), "dev", name)
		run(t, ip, "link", "set", name, "up")
		for _, args := range [][]string{{"address", "add", fmt.Sprintf("10.9.%d.2/24", i), "dev", "eth0"}, {"link", "set", "eth0", "up"}, {"link", "set", "lo", "up"},
			{"route", "add", "default", "via", fmt.Sprintf("10.9.%d.1", i)}} {
			run(t, ip, append([]string{"-n", name}, args...)...)
		}
	}
	run(t, ip, "-n", "cloud", "address", "add", "169.254.169.254/32", "dev", "lo")
	run(t, ip, "route", "add", "169.254.169.254/32", "via", "10.9.0.2")
	frametest.Write(t, "/proc/sys/net/ipv4/ip_forward", "1", 0)
	here, err := netns.Get()
	require.NoError(t, err)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	there, err := netns.GetFromName("cloud")
	require.NoError(t, err)
	require.NoError(t, netns.Set(there))
	l, err := net.Listen("tcp", "169.254.169.254:80")
	require.NoError(t, errors.Join(err, netns.Set(here)))
	serve(t, l)
	return func() bool {
		out, _ := exec.Command(ip, "netns", "exec", "container", "curl", "-s", "-m", "1", "--noproxy", "*", "http://169.254.169.254/").Output()
		return string(out) == "tokens"
	}
}

func apply(t *testing.T, m *frame.Machine, mode frame.Mode) frame.Report {
	t.Helper()
	r := frame.NewRunner(m, 0, 0)
	r.Add(metadataguard.New(m), mode)
	_, err := r.Apply(t.Context())
	require.NoError(t, err)
	again, err := r.Apply(t.Context())
	require.NoError(t, err)
	require.NoError(t, again[0].Err)
	require.Empty(t, again[0].Done)
	require.Empty(t, again[0].Plan.Steps)
	return again[0]
}

// onlyRoot goes through the life of the rule, however it is kept.
func onlyRoot(t *testing.T, damage ...string) {
	m := frametest.Machine(t)
	metadata(t)
	require.True(t, tells(0) && tells(nobody))
	apply(t, m, frame.Off)
	require.True(t, tells(nobody))

	apply(t, m, frame.On)
	assert.True(t, tells(0))
	assert.False(t, tells(nobody))

	run(t, damage[0], damage[1:]...)
	assert.True(t, tells(nobody))
	apply(t, m, frame.On)
	assert.False(t, tells(nobody))

	apply(t, m, frame.Off)
	assert.True(t, tells(nobody))
}

func TestOnlyRootMayAskByNftables(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	nft := needs.Program(t, "nft", "nftables")
	run(t, nft, "add", "table", "inet", "theirs")
	onlyRoot(t, nft, "flush", "chain", "inet", "comet_guest", "output")
	assert.Equal(t, "table inet theirs {\n}\n", run(t, nft, "list", "ruleset"))
}

func TestOnlyRootMayAskByIptables(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	iptables := needs.Program(t, "iptables", "iptables")
	hide(t, "nft")
	run(t, iptables, "-A", "OUTPUT", "-d", "10.9.9.9", "-j", "DROP")
	before := run(t, iptables, "-S")
	onlyRoot(t, iptables, "-D", "OUTPUT", "1")
	assert.Equal(t, before, run(t, iptables, "-S"))
	assert.NotContains(t, run(t, "ip6tables", "-S"), "owner")
}

// Containers and VMs within the machine ask through it, and nobody knows for whom.
func TestWhatIsPassedOnIsDropped(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	tells := cloud(t)
	m := frametest.Machine(t)
	needs.Program(t, "iptables", "iptables")
	nft := needs.Program(t, "nft", "nftables")
	for range 2 { // by nftables, and by iptables
		require.True(t, tells())
		apply(t, m, frame.On)
		assert.False(t, tells())
		run(t, "iptables", "-I", "FORWARD", "-j", "ACCEPT") // as container engines do
		assert.False(t, tells())
		apply(t, m, frame.Off)
		assert.True(t, tells())
		_ = os.Remove(nft)
	}
}

func TestWithoutAPacketFilter(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	hide(t, "nft")
	hide(t, "iptables")
	r := apply(t, frametest.Machine(t), frame.On)
	require.Len(t, r.Plan.Notes, 1)
	assert.Equal(t, frame.Waiting, r.Plan.Notes[0].Kind)
}

// What one program has set is taken back when another one takes over.
func TestAnotherPacketFilterTakesOver(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	m := frametest.Machine(t)
	metadata(t)
	nft := needs.Program(t, "nft", "nftables")
	before := run(t, needs.Program(t, "iptables", "iptables"), "-S")
	require.NoError(t, os.Rename(nft, nft+"-later"))
	apply(t, m, frame.On)
	assert.Contains(t, run(t, "iptables", "-S"), "owner")
	require.NoError(t, os.Rename(nft+"-later", nft))

	plan, err := metadataguard.New(m).Plan(t.Context())
	require.NoError(t, err)
	require.NoError(t, plan.Steps[0].Do(t.Context())) // and stopped there
	apply(t, m, frame.On)
	assert.False(t, tells(nobody))
	assert.Equal(t, before, run(t, "iptables", "-S"))
	assert.NotContains(t, run(t, "iptables", "-t", "mangle", "-S"), "DROP")

	apply(t, m, frame.Off)
	assert.True(t, tells(nobody))
}

// A kernel may refuse the one that is preferred: then what is there stays, and is set again where it has gone, as by a reboot.
func TestAPacketFilterThatTheKernelRefuses(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	m := frametest.Machine(t)
	metadata(t)
	nft, iptables := needs.Program(t, "nft", "nftables"), needs.Program(t, "iptables", "iptables")
	before := run(t, iptables, "-S")
	require.NoError(t, os.Rename(nft, nft+"-later"))
	apply(t, m, frame.On)
	frametest.Write(t, nft, "#!/bin/sh\necho Operation not supported >&2; exit 1\n", 0o755)
	for range 2 {
		r := frame.NewRunner(m, 0, 0)
		r.Add(metadataguard.New(m), frame.On)
		reports, err := r.Apply(t.Context())
		require.NoError(t, err)
		require.ErrorContains(t, reports[0].Err, "not supported")
		assert.False(t, tells(nobody))
		run(t, iptables, "-F", "OUTPUT")
	}
	require.NoError(t, os.Rename(nft+"-later", nft))
	apply(t, m, frame.On)
	assert.False(t, tells(nobody))
	assert.Equal(t, before, run(t, iptables, "-S"))
	apply(t, m, frame.Off)
	assert.True(t, tells(nobody))
}

func hide(t *testing.T, program string) {
	t.Helper()
	path, err := frame.Find(program)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
}

func TestStoppedBehindEveryStep(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	m := frametest.Machine(t)
	metadata(t)
	nft := needs.Program(t, "nft", "nftables")
	run(t, nft, "add", "table", "inet", "comet_guest") // begun, and not noted
	require.NoError(t, m.Save("metadata-guard.json", map[string]string{"Filter": "nft"}))
	apply(t, m, frame.On)
	assert.False(t, tells(nobody))

	plan, err := metadataguard.New(m).Withdraw(t.Context())
	require.NoError(t, err)
	require.Len(t, plan.Steps, 2)
	require.NoError(t, plan.Steps[0].Do(t.Context()))
	apply(t, m, frame.Off)
	assert.True(t, tells(nobody))
}

func TestNeedsTheMachine(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "instance", nil)
	require.NoError(t, err)
	defer m.Close()
	_, err = metadataguard.New(m).Plan(t.Context())
	assert.ErrorIs(t, err, frame.ErrNeedsRoot)
}
