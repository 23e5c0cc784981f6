package identity_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

const insideVariable = "IDENTITY_TEST_INSIDE"

// inNetworkNamespace runs the rest of a test in a process that has a network of its own, and reports whether this is that process.
func inNetworkNamespace(t *testing.T, environment ...string) bool {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return true
	}
	needs.Program(t, "ip", "iproute2")
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), insideVariable+"=1"), environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWNET | unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		needs.Missing(t, fmt.Sprintf("no network namespace to be had: %v", err))
	}
	require.NoError(t, cmd.Wait(), out.String())
	require.Contains(t, out.String(), "--- PASS: "+t.Name())
	return false
}

func ip(t *testing.T, commands ...string) {
	t.Helper()
	for _, c := range commands {
		out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput()
		require.NoError(t, err, "ip %s: %s", c, out)
	}
}

func TestAddressesOfInterfaces(t *testing.T) {
	if !inNetworkNamespace(t) {
		return
	}
	ip(t, "link set lo up", "link add v0 type veth peer name v1", "link set v0 up", "link set v1 up")
	self := identity.Identity{UserData: orca.UserData{CometHost: "https://10.7.0.9:8111/,https://[2001:db8::9]:8111/"}}
	_, err := address(t, "auto", self)
	require.ErrorContains(t, err, "no address towards the heads (10.7.0.9:8111: connect: network is unreachable; [2001:db8::9]:8111: connect: network is unreachable)")
	_, err = address(t, "interface v0", self)
	require.ErrorContains(t, err, "interface v0 has no address by which")

	ip(t, "-6 addr add 2001:db8::5/64 dev v0 nodad")
	for _, setting := range []string{"interface v0", "auto"} {
		got, err := address(t, setting, self)
		require.NoError(t, err)
		assert.Equal(t, "2001:db8::5", got)
	}
	ip(t, "addr add 169.254.7.5/24 dev v0", "addr add 10.7.0.5/24 dev v0", "addr add 10.8.0.5/24 dev v1")
	for _, setting := range []string{"interface v0", "auto"} {
		got, err := address(t, setting, self)
		require.NoError(t, err)
		assert.Equal(t, "10.7.0.5", got)
	}
	// It is looked at each time.
	ip(t, "addr del 10.7.0.5/24 dev v0", "addr add 10.7.0.6/24 dev v0")
	got, err := address(t, "auto", self)
	require.NoError(t, err)
	assert.Equal(t, "10.7.0.6", got)
}

// At the address where clouds have it, with a proxy in the environment that must not hear of it.
func TestTheServiceAtItsOwnAddress(t *testing.T) {
	const proxyAddress = "127.0.0.1:3128"
	if !inNetworkNamespace(t, "HTTP_PROXY=http://"+proxyAddress, "http_proxy=http://"+proxyAddress) {
		return
	}
	assert.Contains(t, refused(t, identity.Metadata{}), "metadata at http://169.254.169.254: latest/user-data: connect: network is unreachable")
	ip(t, "link set lo up", "addr add 169.254.169.254/32 dev lo")
	var heard atomic.Bool
	listen(t, proxyAddress, func(http.ResponseWriter, *http.Request) { heard.Store(true) })
	listen(t, "169.254.169.254:80", documents{userData: ini(t)}.serve)
	assert.Equal(t, iniKey, found(t, identity.Metadata{}).InstanceID)
	assert.False(t, heard.Load())

	// Others do ask the proxy.
	answer, err := http.Get("http://169.254.169.254/")
	require.NoError(t, err)
	answer.Body.Close()
	assert.True(t, heard.Load())
	http.DefaultClient.CloseIdleConnections()
}

func listen(t *testing.T, at string, handler http.HandlerFunc) {
	t.Helper()
	l, err := net.Listen("tcp", at)
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(handler)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
}
