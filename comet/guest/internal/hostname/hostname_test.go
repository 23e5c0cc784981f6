package hostname_test

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/hostname"
)

const loopback = "\n### BEGIN NEuca loopback modifications - DO NOT EDIT BETWEEN THESE LINES. ###\n%\n" +
	"### END NEuca loopback modifications - DO NOT EDIT BETWEEN THESE LINES. ###\n\n"

// machine is one below a folder, with these files.
func machine(t *testing.T, files map[string]string) (*frame.Machine, string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	m, err := frame.Open(root, "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m, root
}

// pass makes a pass and returns what it did.
func pass(t *testing.T, m *frame.Machine, h *hostname.HostName) frame.Report {
	t.Helper()
	h.Machine = m
	r := frame.NewRunner(m, 0, 0)
	r.Add(h, frame.On)
	reports, err := r.Apply(t.Context())
	require.NoError(t, err)
	return reports[0]
}

func read(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(text)
}

func TestTheNameOutlivesAReboot(t *testing.T) {
	m, root := machine(t, map[string]string{"etc/hosts": "127.0.0.1\tlocalhost\n", "etc/hostname": "debian\n", "etc/cloud/cloud.cfg.d/README": ""})
	r := pass(t, m, &hostname.HostName{Wanted: "workers/0", Loopback: hostname.DefaultLoopback})
	require.NoError(t, r.Err)
	assert.Equal(t, []string{"write /etc/hostname", "write /etc/hosts", "write /etc/cloud/cloud.cfg.d/95-comet-guest.cfg"}, r.Done)
	assert.Equal(t, "workers-0\n", read(t, root, "etc/hostname"))
	assert.Equal(t, "127.0.0.1\tlocalhost\n"+strings.Replace(loopback, "%", "127.255.255.1\tworkers-0", 1), read(t, root, "etc/hosts"))
	assert.Equal(t, "preserve_hostname: true\n", read(t, root, "etc/cloud/cloud.cfg.d/95-comet-guest.cfg"))
	require.Len(t, r.Plan.Notes, 1)
	assert.Equal(t, "needs /", r.Plan.Notes[0].Why, "the kernel's name is the machine's own")
	assert.Empty(t, pass(t, m, &hostname.HostName{Wanted: "workers/0", Loopback: hostname.DefaultLoopback}).Done)
}

func TestTheLoopbackLineFollowsTheSettings(t *testing.T) {
	m, root := machine(t, map[string]string{"etc/hostname": "own\n", "etc/hosts": "x\n"})
	pass(t, m, &hostname.HostName{Wanted: "own", Loopback: hostname.DefaultLoopback})
	pass(t, m, &hostname.HostName{Wanted: "own", Loopback: netip.MustParseAddr("127.0.1.1")})
	assert.Equal(t, "x\n"+strings.Replace(loopback, "%", "127.0.1.1\town", 1), read(t, root, "etc/hosts"))
	pass(t, m, &hostname.HostName{Wanted: "own"})
	assert.Equal(t, "x\n", read(t, root, "etc/hosts"))
}

// The block that ends with its first line stopped the older tools for good.
func TestABrokenLoopbackBlockIsMended(t *testing.T) {
	begin := strings.SplitAfter(loopback, "\n")[1]
	m, root := machine(t, map[string]string{"etc/hostname": "own\n", "etc/hosts": "x\n" + begin})
	require.NoError(t, pass(t, m, &hostname.HostName{Wanted: "own", Loopback: hostname.DefaultLoopback}).Err)
	assert.Equal(t, "x\n"+strings.Replace(loopback, "%", "127.255.255.1\town", 1), read(t, root, "etc/hosts"))
}

func TestNamesThatAreNone(t *testing.T) {
	m, root := machine(t, map[string]string{"etc/hostname": "own\n"})
	require.ErrorIs(t, pass(t, m, &hostname.HostName{}).Err, frame.ErrUnknown)
	for name, wants := range map[string]string{"a b": "host_name ", "a\nb": "host_name ", strings.Repeat("a.", 33) + "a": "longer than the 64 bytes", "-": "host_name "} {
		require.ErrorContains(t, pass(t, m, &hostname.HostName{Wanted: name}).Err, wants, "%q", name)
	}
	assert.Equal(t, "own\n", read(t, root, "etc/hostname"))
}
