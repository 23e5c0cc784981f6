package guest_test

import (
	"crypto/ed25519"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
	"github.com/renci-nrig/comet-go/comet/internal/logtest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func TestMain(m *testing.M) {
	frametest.Enter()
	goleak.VerifyTestMain(m)
}

// slice is a slice on a real head, as its controller and all its VMs see it together.
type slice struct {
	*testing.T
	heads  *comettest.Heads
	client *comet.Client
	id     scope.ContextID
	read   scope.Token
	write  scope.Token
}

func newSlice(t *testing.T) *slice {
	t.Helper()
	return newSliceAt(t, comettest.Start(t, 1))
}

func newSliceAt(t *testing.T, heads *comettest.Heads) *slice {
	t.Helper()
	name := scope.MustName("slice", "any", "any")
	return &slice{t, heads, heads.Client(), name.Context, scope.NewToken(), scope.NewToken()}
}

func (s *slice) tokens() scope.Tokens { return scope.Tokens{Read: s.read, Write: s.write} }

func (s *slice) name(family, key string) scope.Name {
	name := scope.MustName("slice", family, key)
	name.Context = s.id
	return name
}

// put writes an entry, as its controller or VM does.
func (s *slice) put(family, key, value string) {
	s.Helper()
	_, err := s.client.Write(s.Context(), s.name(family, key), s.tokens(), []byte(value))
	require.NoError(s, err)
}

func (s *slice) remove(family, key string) {
	s.Helper()
	require.NoError(s, s.client.Delete(s.Context(), s.name(family, key), s.tokens()))
}

func (s *slice) value(family, key string) string {
	s.Helper()
	e, err := s.client.Read(s.Context(), s.name(family, key), s.read)
	require.NoError(s, err)
	return string(e.Value)
}

// placeHolders are what a controller puts down for a VM.
func (s *slice) placeHolders(key, hostName string, groups ...string) {
	s.Helper()
	for _, group := range groups {
		s.put("hosts"+group, key, string(scope.Encode(scope.Host{HostName: hostName})))
		s.put("pubkeys"+group, key, string(scope.Encode(scope.PubKey{})))
	}
}

// peer is a VM that has reported; it returns its key.
func (s *slice) peer(key, hostName, ip string, groups ...string) string {
	s.Helper()
	line := newKey(s.T, "root@"+hostName)
	for _, group := range groups {
		s.put("hosts"+group, key, string(scope.Encode(scope.Host{HostName: hostName, IP: ip})))
		s.put("pubkeys"+group, key, string(scope.Encode(scope.PubKey{PublicKey: line + "\n"})))
	}
	return line
}

// userData is what a VM is told that takes part in these groups.
func (s *slice) userData(key, hostName string, groups ...string) orca.UserData {
	return orca.UserData{
		Identity:  orca.Identity{SliceID: s.id, ReservationID: scope.MustName("slice", "any", key).Key, HostName: hostName},
		CometHost: s.heads.List(),
		CACert:    s.heads.Authority().Certificate().Raw,
		Slice: orca.SliceAccess{Tokens: s.tokens(), HostsRead: groups, HostsWrite: groups, PubKeysRead: groups,
			PubKeysWrite: groups},
	}
}

// machine is one VM: a root folder with a guest.
type machine struct {
	*testing.T
	*guest.Guest
	root    string
	log     *logtest.Buffer
	address atomic.Pointer[netip.Addr]
	notes   []guest.Note // of the last pass
}

var ownAddress = netip.MustParseAddr("10.0.0.1")

func (m *machine) ownAddress() (netip.Addr, error) { return *m.address.Load(), nil }

// boot starts the guest of the VM with that user data in a root folder, a new one where it is empty.
func (s *slice) boot(self orca.UserData, root string) *machine {
	s.Helper()
	if root == "" {
		root = s.TempDir()
	}
	m := &machine{T: s.T, root: root, log: new(logtest.Buffer)}
	log := slog.New(slog.NewTextHandler(m.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client, err := guest.Connect(self, root, comet.WithLogger(log), comet.WithAttemptTimeout(300*time.Millisecond),
		comet.WithRest(time.Millisecond, time.Millisecond))
	require.NoError(s, err)
	m.address.Store(&ownAddress)
	m.Guest, err = guest.New(guest.Settings{Root: root, Address: m.ownAddress, Every: time.Millisecond, Modules: map[string]guest.Mode{"hostname": guest.Off}, Logger: log},
		guest.Member{Client: client, Self: self})
	require.NoError(s, err)
	s.Cleanup(func() {
		require.NoError(s, m.Guest.Close())
		require.NoError(s, client.Close())
	})
	return m
}

// vm boots a VM of the group all that has its place-holders.
func (s *slice) vm() *machine {
	s.Helper()
	s.placeHolders("own", "own", "all")
	return s.boot(s.userData("own", "own", "all"), "")
}

// report is what a pass found and did.
type report struct {
	Hosts   []scope.Host
	Lines   int // of hosts, in the file
	Keys    int
	Changed []string // files
}

// once makes a pass.
func (m *machine) once() (report, error) {
	m.Helper()
	st, err := m.Once(m.Context())
	m.notes = nil
	for _, module := range st.Modules {
		m.notes = append(m.notes, module.Notes...)
	}
	return m.report(st), err
}

func (m *machine) report(st guest.Status) report {
	m.Helper()
	hosts, _ := m.Hosts() // which a file may keep from being known
	r := report{Hosts: hosts, Lines: st.Module("hosts").Count, Keys: st.Module("pubkeys").Count}
	for _, c := range st.Done() {
		if file, ok := strings.CutPrefix(c.Text, "write "); ok {
			r.Changed = append(r.Changed, file)
		}
	}
	return r
}

// pass makes a pass that must go well.
func (m *machine) pass() report {
	m.Helper()
	r, err := m.once()
	require.NoError(m, err)
	return r
}

const (
	hosts = "etc/hosts"
	keys  = "root/.ssh/authorized_keys"
	own   = "root/.ssh/id_ed25519"
)

// file returns the content of a file, empty where there is none.
func (m *machine) file(name string) string {
	m.Helper()
	text, err := os.ReadFile(filepath.Join(m.root, name))
	if !os.IsNotExist(err) {
		require.NoError(m, err)
	}
	return string(text)
}

func (m *machine) write(name, content string) {
	m.Helper()
	path := filepath.Join(m.root, name)
	require.NoError(m, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(m, os.WriteFile(path, []byte(content), 0o644))
}

// state is what a folder holds, by path: type and mode, identity, time of the last change, and content. Reading changes none of it.
func state(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == "var" { // the guest's own
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		var text []byte
		if info.Mode().IsRegular() {
			text, err = os.ReadFile(filepath.Join(dir, path))
		}
		all[path] = fmt.Sprintf("%s %d %v %s", info.Mode(), st.Ino, st.Ctim, text)
		return err
	}))
	return all
}

func hostsBlock(lines ...string) string { return inBlock("comet", lines) }

func keysBlock(lines ...string) string { return inBlock("comet pubkeys", lines) }

func inBlock(name string, lines []string) string {
	const rest = " modifications - DO NOT EDIT BETWEEN THESE LINES. ###\n"
	text := "### BEGIN NEuca " + name + rest
	for _, l := range lines {
		text += l + "\n"
	}
	return text + "### END NEuca " + name + rest
}

// newKey makes a public key as one line without its newline.
func newKey(t testing.TB, comment string) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + comment
}

// warnings returns what the last pass left out.
func (m *machine) warnings() (lines []string) {
	for _, n := range m.notes {
		if n.Kind == "left out" {
			lines = append(lines, n.About+": "+n.Why)
		}
	}
	return lines
}
