package cmd_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// buildGuest builds the guest as packages have it.
func buildGuest(t testing.TB, arch string) string {
	t.Helper()
	sources(t)
	bin := filepath.Join(t.TempDir(), "comet-guest-"+arch)
	flags, err := os.ReadFile("comet-guest/package/build.flags") // as .ci/package has them
	require.NoError(t, err)
	args := slices.Concat([]string{"build"}, strings.Fields(string(flags)), []string{"-trimpath", "-ldflags=-s -w", "-o", bin, "./comet-guest"})
	build := exec.Command("go", args...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
	text, err := build.CombinedOutput()
	require.NoError(t, err, "%s", text)
	return bin
}

// A guest is on every VM, also on small ones.
func TestTheGuestIsASmallBinary(t *testing.T) {
	const limit = 12 << 20
	for _, arch := range []string{"amd64", "arm64"} {
		info, err := os.Stat(buildGuest(t, arch))
		require.NoError(t, err)
		t.Logf("%s: %d bytes", arch, info.Size())
		require.Less(t, info.Size(), int64(limit), arch)
	}
}

// BenchmarkFootprint runs the guest as a process of its own, against a head that it has to ask every now and then, and one that tells it
// of changes, in a slice of a thousand VMs. It reports the memory that the process has resident and had at most, the CPU time of a
// round of polling and of a minute, for which six such rounds are taken, and the TLS handshakes of a round.
func BenchmarkFootprint(b *testing.B) {
	bin := buildGuest(b, runtime.GOARCH)
	told := startGuest(b, bin, "10s")
	told.heads.Await(b.Context(), 0, "watchScope", 2) // the first answer is the whole slice
	settled := time.After(25 * time.Second)           // what it learned has been confirmed and kept, while the other one is measured
	var asking float64                                // ms of CPU per minute
	b.Run("asking", func(b *testing.B) {
		g := startGuest(b, bin, "1s", server.WithoutExtensions())
		g.rounds(b.Context(), 8) // what it has to learn at first
		cpu, shaken := g.cpu(), g.heads.Handshakes(0)
		const rounds = 10
		g.rounds(b.Context(), rounds)
		each := milliseconds(g.cpu()-cpu) / rounds
		asking = 6 * each // one every 10 s, as while others have not reported
		b.ReportMetric(each, "cpu-ms/round")
		b.ReportMetric(asking, "cpu-ms/minute")
		b.ReportMetric(float64(g.heads.Handshakes(0)-shaken)/rounds, "handshakes/round")
		g.memory(b)
	})
	b.Run("told", func(b *testing.B) {
		<-settled
		cpu, shaken := told.cpu(), told.heads.Handshakes(0)
		time.Sleep(time.Minute) // a benchmark measures what nothing happens in, but that the watch is renewed once
		waiting := milliseconds(told.cpu() - cpu)
		b.ReportMetric(waiting, "cpu-ms/minute")
		if asking > 0 {
			b.ReportMetric(waiting/asking, "of-asking")
		}
		b.ReportMetric(float64(told.heads.Handshakes(0)-shaken), "handshakes")
		told.memory(b)
	})
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// process is a guest that runs, of a slice of a thousand VMs.
type process struct {
	testing.TB
	heads *comettest.Heads
	pid   int
}

const members = 1000

func startGuest(b *testing.B, bin, every string, options ...server.Option) *process {
	heads := comettest.Start(b, 1, options...)
	client, tokens := heads.Client(), scope.Tokens{Read: scope.NewToken(), Write: scope.NewToken()}
	dir := b.TempDir()
	self := orca.UserData{CometHost: heads.List(), CACert: heads.Authority().Certificate().Raw}
	self.SliceID, self.HostName = scope.MustName("slice", "any", "any").Context, "own"
	self.Slice = orca.SliceAccess{Tokens: tokens, HostsRead: []string{"all"}, HostsWrite: []string{"all"}, PubKeysRead: []string{"all"}, PubKeysWrite: []string{"all"}}
	for i := range members {
		key := fmt.Sprintf("%08x-7188-49b2-af48-f21497450d84", i)
		host := scope.Host{HostName: fmt.Sprintf("workers-%d", i), IP: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), SSHHostKeys: publicKey(b, "")}
		public := scope.PubKey{PublicKey: publicKey(b, "root@"+host.HostName) + "\n"}
		if i == 0 {
			self.ReservationID = scope.MustName("slice", "any", key).Key
		}
		for family, value := range map[string][]byte{"hostsall": scope.Encode(host), "pubkeysall": scope.Encode(public)} {
			_, err := client.Write(b.Context(), scope.MustName("slice", family, key), tokens, value)
			require.NoError(b, err)
		}
	}
	text, err := self.INI()
	require.NoError(b, err)
	userData, conf, root := filepath.Join(dir, "user-data"), filepath.Join(dir, "guest.conf"), filepath.Join(dir, "root")
	require.NoError(b, os.WriteFile(userData, text, 0o600))
	require.NoError(b, os.WriteFile(conf, []byte("[guest]\nevery = "+every+"\nsettled = "+every+"\naddress = 10.0.0.0\nstatus-file = /status.json\n"), 0o600))
	require.NoError(b, os.MkdirAll(root, 0o755))
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, bin, "run", "--root", root, "--settings", conf, "--user-data", userData)
	c.Stderr = os.Stderr
	require.NoError(b, c.Start())
	b.Cleanup(func() { cancel(); _ = c.Wait() })
	return &process{b, heads, c.Process.Pid}
}

// rounds waits until the guest has asked that many times more.
func (p *process) rounds(ctx context.Context, n int) {
	p.heads.Await(ctx, 0, "enumerateScope", p.heads.Calls(0, "enumerateScope")+n)
}

// cpu is the CPU time that the process has used: see proc_pid_schedstat, whose first number is nanoseconds on the CPU.
func (p *process) cpu() (used time.Duration) {
	p.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.pid))
	require.NoError(p, err)
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		require.NoError(p, err)
		n, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		require.NoError(p, err)
		used += time.Duration(n)
	}
	return used
}

func (p *process) memory(b *testing.B) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	require.NoError(b, err)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && (fields[0] == "VmRSS:" || fields[0] == "VmHWM:" || fields[0] == "RssAnon:") {
			kb, err := strconv.ParseFloat(fields[1], 64)
			require.NoError(b, err)
			b.ReportMetric(kb/1024, "MiB-"+strings.Trim(fields[0], ":"))
		}
	}
	b.ReportMetric(0, "ns/op")
}

func publicKey(t testing.TB, comment string) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return strings.TrimSpace(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + comment)
}
