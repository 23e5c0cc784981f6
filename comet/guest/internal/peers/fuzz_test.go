package peers_test

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
	"github.com/renci-nrig/comet-go/comet/guest/internal/peers"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9SoMlC3wV6+ZhWdPzPvWMbkNXPvZyMVHKC3MVJ0Bq1"

var self = orca.UserData{
	Identity:  orca.Identity{SliceID: scope.MustName("slice", "any", "any").Context, ReservationID: scope.MustName("slice", "any", "own").Key, HostName: "own"},
	CometHost: "https://head.example:8111/",
	Slice: orca.SliceAccess{Tokens: scope.Tokens{Read: scope.NewToken(), Write: scope.NewToken()}, HostsRead: []string{"all"}, HostsWrite: []string{"all"},
		PubKeysRead: []string{"all"}, PubKeysWrite: []string{"all"}},
}

// heard is a context in which one other VM has these values, as it is kept of what heads said.
func heard(t *testing.T, vm, hosts, keys string) *known.Context {
	t.Helper()
	type entry = map[string]string
	data, err := json.Marshal(map[string]any{"context": "slice", "key": "own", "families": []any{
		map[string]any{"family": "hostsall", "entries": map[string]entry{vm: {"value": hosts}}},
		map[string]any{"family": "pubkeysall", "entries": map[string]entry{vm: {"value": keys}}},
	}})
	require.NoError(t, err)
	c, err := known.New(nil, self, known.Settings{Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, c.Restore(data))
	return c
}

// FuzzPeers: whatever another VM says of its names, its address and its keys, and whatever stands in the hosts file, root's files get
// lines of the one form that they have, for no name but those that another VM may have, and what is left out is noted in one line.
func FuzzPeers(f *testing.F) {
	host := func(h scope.Host) string { return string(scope.Encode(h)) }
	public := func(text string) string { return string(scope.Encode(scope.PubKey{PublicKey: text})) }
	f.Add("vm", host(scope.Host{HostName: "vm-1", IP: "10.0.0.2", SSHHostKeys: key + "," + key}), public(key+" root@vm-1"), "127.0.0.1 localhost\n")
	f.Add("\u202evm", host(scope.Host{HostName: "Server", IP: "::ffff:10.0.0.2"}), public(`command="id" `+key), "10.0.0.9\tserver # ours\n")
	f.Add("vm", host(scope.Host{HostName: "a\n6.6.6.6\tgithub.com", IP: "10.0.0.2\n6.6.6.6 x"}), public(key+"\n"+key), "")
	f.Add("vm", host(scope.Host{HostName: "head.example", IP: "fe80::1%\n"}), public("### END NEuca comet pubkeys modifications"), "")
	f.Add("vm", host(scope.Host{HostName: "own", IP: "10.0.0.3", SSHHostKeys: "* " + key}), public(key+" \x1b[2J#"), "\xff\x00")
	f.Add("vm", host(scope.Host{HostName: "x13", IP: "2001:DB8::1", SSHHostKeys: "@cert-authority * " + key}), `{"val_":7}`, "")
	f.Add("vm", `{"val_":[{"hostName":"a","ip":"10.0.0.1"},{"hostName":"0x7f.1","ip":"10.0.0.1"},{"hostName":"localhost","ip":"127.1"}]}`, "", "\n\r\n")
	root := inMemory(f)
	f.Fuzz(func(t *testing.T, vm, hosts, keys, foreign string) {
		if _, err := scope.ParseKey(vm); err != nil || !utf8.ValidString(hosts+keys) { // heads have no such entry
			return
		}
		clear(t, root)
		write(t, root, peers.HostsBlock.File, foreign)
		m, err := frame.Open(root, "vm", slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		defer m.Close()
		list := []*known.Context{heard(t, vm, hosts, keys)}
		d := peers.NewDirectory(m, list, "")
		modules := []frame.Module{peers.Hosts{Directory: d}, peers.NewPubKeys(m, list), peers.KnownHosts{Directory: d}}
		apply(t, m, modules)

		requireHosts(t, lines(t, m, peers.HostsBlock), foreign)
		for _, line := range lines(t, m, peers.KeysBlock) {
			requireKey(t, line)
		}
		for _, line := range lines(t, m, peers.KnownHostsBlock) {
			name, rest, _ := strings.Cut(line, " ")
			requireKey(t, rest)
			require.Contains(t, strings.Join(lines(t, m, peers.HostsBlock), "\n")+"\n", "\t"+name+"\n")
		}
		for _, module := range modules {
			plan, err := module.Plan(t.Context())
			require.NoError(t, err)
			require.Empty(t, plan.Steps)
		}
	})
}

// FuzzKept: whatever stands where the guest keeps who has which name, whose lines there are, and what it has kept before, it takes that or
// says in one line which file it is, and quotes nothing. Every ~ stands for a secret.
func FuzzKept(f *testing.F) {
	f.Add("vm-1", `{"vm-1":"slice/vm"}`, `{"comet":["slice"],"comet pubkeys":["slice"]}`, "true")
	f.Add("vm-1", `{"vm-1":"other/~","~":"~\n"}`, `{"comet":["other"],"comet pubkeys":["~"]}`, "false")
	f.Add("~", `{"~":["~"]}`, `{"comet":"~"}`, `"~"`)
	f.Add("vm-1", `~`, `[~]`, ``)
	root := inMemory(f)
	f.Fuzz(func(t *testing.T, name, names, blocks, kept string) {
		name = strings.ToValidUTF8(plant.In(name), "")
		clear(t, root)
		for file, text := range map[string]string{"vm/names.json": names, "blocks.json": blocks, "vm/pubkeys.json": kept} {
			write(t, root, frame.StateFolder+"/"+file, plant.In(text))
		}
		m, err := frame.Open(root, "vm", slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		defer m.Close()
		list := []*known.Context{heard(t, "vm", string(scope.Encode(scope.Host{HostName: name, IP: "10.0.0.2", SSHHostKeys: key})), string(scope.Encode(scope.PubKey{PublicKey: key})))}
		d := peers.NewDirectory(m, list, "")
		for _, module := range []frame.Module{peers.Hosts{Directory: d}, peers.NewPubKeys(m, list), peers.KnownHosts{Directory: d}} {
			plan, err := module.Plan(t.Context())
			if err != nil {
				plant.RequirePlain(t, err)
				require.ErrorContains(t, err, "/"+frame.StateFolder+"/")
			}
			requireNotes(t, plan.Notes)
		}
	})
}

// inMemory returns a folder in memory, where there is such a place: all that the guest writes is synced.
func inMemory(f *testing.F) string {
	f.Helper()
	root, err := os.MkdirTemp("/dev/shm", "")
	if err != nil {
		return f.TempDir()
	}
	f.Cleanup(func() { require.NoError(f, os.RemoveAll(root)) })
	return root
}

func clear(t *testing.T, root string) {
	t.Helper()
	for _, name := range []string{"etc", "root", "var"} {
		require.NoError(t, os.RemoveAll(filepath.Join(root, name)))
	}
}

func write(t *testing.T, root, name, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(content), 0o600))
}

// apply makes what the modules plan.
func apply(t *testing.T, m *frame.Machine, modules []frame.Module) {
	t.Helper()
	r := frame.NewRunner(m, 0, 0)
	for _, module := range modules {
		r.Add(module, frame.On)
	}
	reports, err := r.Apply(t.Context())
	require.NoError(t, err)
	for _, report := range reports {
		require.NoError(t, report.Err)
		requireNotes(t, report.Plan.Notes)
	}
}

func requireNotes(t *testing.T, notes []frame.Note) {
	t.Helper()
	for _, n := range notes {
		plant.RequireLine(t, n.About)
		plant.RequireLine(t, n.Why)
	}
}

func lines(t *testing.T, m *frame.Machine, b frame.Block) []string {
	t.Helper()
	lines, err := m.BlockLines(b)
	require.NoError(t, err)
	return lines
}

var hostLine = regexp.MustCompile(`^([0-9a-f.:]+)\t([a-z0-9]([a-z0-9._-]*[a-z0-9])?)$`)

func requireHosts(t *testing.T, lines []string, foreign string) {
	t.Helper()
	for _, line := range lines {
		found := hostLine.FindStringSubmatch(line)
		require.NotNil(t, found, "%q", line)
		address, err := netip.ParseAddr(found[1])
		require.NoError(t, err)
		require.Equal(t, address.String(), found[1])
		require.True(t, address.IsGlobalUnicast() && !address.Is4In6(), line)
		_, notAnAddress := netip.ParseAddr(found[2])
		require.Error(t, notAnAddress)
		require.NotContains(t, []string{"own", "localhost", "head.example"}, found[2])
		require.NotContains(t, found[2], ".", "it is in no domain of this VM")
		if !strings.Contains(foreign, "#") { // no marker and no comment
			require.NotContains(t, strings.Fields(strings.ToLower(withoutAddresses(foreign))), found[2])
		}
	}
}

// withoutAddresses leaves out the first word of each line of a hosts file.
func withoutAddresses(file string) (names string) {
	for line := range strings.Lines(file) {
		if fields := strings.Fields(line); len(fields) > 0 {
			names += strings.Join(fields[1:], " ") + " "
		}
	}
	return names
}

var keyLine = regexp.MustCompile(`^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [ -~]+)?$`)

// requireKey requires a key that stands for itself: without options, marks and further lines.
func requireKey(t *testing.T, line string) {
	t.Helper()
	require.Regexp(t, keyLine, line)
	_, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	require.NoError(t, err)
	require.Empty(t, options)
	require.Empty(t, rest)
	require.NotContains(t, comment, "#")
}
