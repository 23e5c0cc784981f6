package service_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a head with a slice on it, a metadata service, and a machine.
type world struct {
	*testing.T
	heads  *comettest.Heads
	client *comet.Client
	tokens scope.Tokens
	root   string
	cloud  *httptest.Server

	mu       sync.Mutex
	userData string // what the cloud says; 404 where it is empty
	settings settings.Settings
	bad      error
	refused  atomic.Int32 // how often they were bad
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, heads: comettest.Start(t, 1), tokens: scope.Tokens{Read: scope.NewToken(), Write: scope.NewToken()}, root: t.TempDir()}
	w.client = w.heads.Client()
	w.cloud = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case r.URL.Path == "/latest/user-data" && w.userData != "":
			_, _ = rw.Write([]byte(w.userData))
		case r.URL.Path == "/latest/meta-data/local-ipv4":
			_, _ = rw.Write([]byte("10.0.0.1"))
		default:
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(w.cloud.Close)
	w.settings = settings.Defaults()
	w.settings.Metadata, w.settings.Source, w.settings.Every = w.cloud.URL, "metadata", 50*time.Millisecond
	w.settings.StatusFile = "/run/status.json"
	w.settings.Modules = map[string]guest.Mode{"hostname": guest.Off}
	w.member("own")
	w.peer("peer", "10.0.0.2")
	return w
}

func (w *world) put(family, key string, value []byte) {
	w.Helper()
	_, err := w.client.Write(w.Context(), scope.MustName("slice", family, key), w.tokens, value)
	require.NoError(w, err)
}

// member puts down a VM's place-holders.
func (w *world) member(key string) {
	w.Helper()
	w.put("hostsall", key, scope.Encode(scope.Host{HostName: key}))
	w.put("pubkeysall", key, scope.Encode(scope.PubKey{}))
}

func (w *world) peer(key, ip string) {
	w.Helper()
	w.put("hostsall", key, scope.Encode(scope.Host{HostName: key, IP: ip}))
}

// self is what the VM with a key is told.
func (w *world) self(key string) orca.UserData {
	u := orca.UserData{CometHost: w.heads.List(), CACert: w.heads.Authority().Certificate().Raw}
	u.SliceID, u.ReservationID = scope.MustName("slice", "any", "any").Context, scope.MustName("slice", "any", key).Key
	u.HostName = key
	u.Slice = orca.SliceAccess{Tokens: w.tokens, HostsRead: []string{"all"}, HostsWrite: []string{"all"}, PubKeysRead: []string{"all"}, PubKeysWrite: []string{"all"}}
	return u
}

// tell makes the cloud say this; nothing where it is empty.
func (w *world) tell(userData string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.userData = userData
}

func (w *world) ini(u orca.UserData) string {
	w.Helper()
	text, err := u.INI()
	require.NoError(w, err)
	return string(text)
}

// set changes the settings, which the next reload reads.
func (w *world) set(change func(*settings.Settings), bad error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if change != nil {
		change(&w.settings)
	}
	w.bad = bad
}

func (w *world) load() (settings.Settings, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bad != nil {
		w.refused.Add(1)
	}
	return w.settings, w.bad
}

func (w *world) service() *service.Service {
	return &service.Service{Root: w.root, Settings: w.load, Log: slog.New(slog.DiscardHandler), Version: "1.2.3"}
}

// byFlags is a service that flags tell which VM it is on.
func (w *world) byFlags(u orca.UserData) *service.Service {
	s := w.service()
	s.Given = &identity.Given{UserData: u}
	return s
}

// running is a service that runs.
type running struct {
	*world
	reload chan struct{}
	end    context.CancelFunc
	ended  chan error
}

func (w *world) start(s *service.Service) *running {
	ctx, cancel := context.WithCancel(w.Context())
	r := &running{w, make(chan struct{}, 1), cancel, make(chan error, 1)}
	go func() { r.ended <- s.Run(ctx, r.reload) }()
	return r
}

func (r *running) stop() {
	r.Helper()
	r.end()
	require.NoError(r, <-r.ended)
}

// status waits until the status is as wanted.
func (w *world) status(wanted func(service.Status) bool) (st service.Status) {
	w.Helper()
	require.Eventually(w, func() bool {
		set, _ := w.load()
		var err error
		st, err = service.ReadStatus(w.root, set)
		return err == nil && wanted(st)
	}, time.Minute, 10*time.Millisecond, "%+v", &st)
	return st
}

func knows(hosts int) func(service.Status) bool {
	return func(st service.Status) bool {
		return st.State == service.StateRunning && st.Module("hosts").Count == hosts && st.Module("hosts").State == guest.StateOK
	}
}

func (w *world) file(name string) string {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(w.root, name))
	if !os.IsNotExist(err) {
		require.NoError(w, err)
	}
	return string(text)
}

// systemd listens as systemd does, and returns what it was told, one message after the other.
func systemd(t *testing.T, watchdog string) <-chan string {
	t.Helper()
	return systemdAt(t, filepath.Join(t.TempDir(), "notify"), watchdog)
}

func systemdAt(t *testing.T, path, watchdog string) <-chan string {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", watchdog)
	told := make(chan string, 10000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(told)
		for buffer := make([]byte, 4096); ; {
			n, err := socket.Read(buffer)
			if err != nil {
				return
			}
			told <- string(buffer[:n])
		}
	}()
	t.Cleanup(func() { socket.Close(); <-done })
	return told
}

// hear waits for a message that begins so.
func hear(t *testing.T, told <-chan string, prefix string) string {
	t.Helper()
	end := time.After(time.Minute)
	for {
		select {
		case message := <-told:
			if strings.HasPrefix(message, prefix) {
				return message
			}
		case <-end:
			require.FailNow(t, "systemd was not told "+prefix)
		}
	}
}

var publicAddress = netip.MustParseAddr("203.0.113.7")

const (
	waitFor = time.Minute
	tick    = 10 * time.Millisecond
)

// published is the address that a VM has published.
func (w *world) published(key string) string {
	w.Helper()
	e, err := w.client.Read(w.Context(), scope.MustName("slice", "hostsall", key), w.tokens.Read)
	require.NoError(w, err)
	list, err := scope.ParseList(e.Value)
	require.NoError(w, err)
	h, err := scope.ElementAt[scope.Host](list, 0)
	require.NoError(w, err)
	return h.IP
}
