package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

func TestManyListenersServeOneStore(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	defer store.Close()
	a, b := listen(t), listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- server.Serve(ctx, server.New(store, server.WithoutCertificateChecks()), nil, a, b) }()

	write := fmt.Sprintf("http://%s/writeScope?%s", a.Addr(), entry(readToken, writeToken))
	response, err := http.Post(write, "", strings.NewReader("one"))
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, 200, response.StatusCode)
	response, err = http.Get(fmt.Sprintf("http://%s/readScope?%s", b.Addr(), entry(readToken, "")))
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	response.Body.Close()
	require.Contains(t, string(body), `"value":"one"`)

	http.DefaultClient.CloseIdleConnections()
	cancel()
	require.NoError(t, <-ended)
	for _, l := range []net.Listener{a, b} {
		_, err := net.Dial("tcp", l.Addr().String())
		require.Error(t, err)
	}
}

func TestServeEndsWhenAListenerFails(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	defer store.Close()
	good, bad := listen(t), listen(t)
	require.NoError(t, bad.Close())
	err = server.Serve(t.Context(), server.New(store), nil, good, bad)
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorContains(t, err, bad.Addr().String())
	_, err = net.Dial("tcp", good.Addr().String())
	require.Error(t, err)
}

func TestServeThatIsOverBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := listen(t)
	require.NoError(t, server.Serve(ctx, http.NotFoundHandler(), nil, l))
	_, err := net.Dial("tcp", l.Addr().String())
	require.Error(t, err)
}

// A request under way is answered although the end has come.
func TestStopIsGentle(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- true
		<-leave
		io.WriteString(w, "done")
	})
	l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- server.Serve(ctx, slow, nil, l) }()
	got := make(chan string)
	go func() {
		response, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			got <- err.Error()
			return
		}
		defer response.Body.Close()
		b, _ := io.ReadAll(response.Body)
		got <- string(b)
	}()
	<-entered
	cancel()
	leave <- true
	require.Equal(t, "done", <-got)
	require.NoError(t, <-ended)
	http.DefaultClient.CloseIdleConnections()
}

func TestOnlyHTTP1IsOffered(t *testing.T) {
	h := start(t)
	ca, err := authority()
	require.NoError(t, err)
	config := tlsconfig.Client([]*x509.Certificate{ca.Certificate()}, nil)
	config.NextProtos = []string{"h2", "http/1.1"}
	c, err := tls.Dial("tcp", h.addr, config)
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, "http/1.1", c.ConnectionState().NegotiatedProtocol)
}

// What a client could have typed, byte for byte.
func TestRawRequests(t *testing.T) {
	h := start(t, server.WithoutCertificateChecks())
	ca, err := authority()
	require.NoError(t, err)
	c, err := tls.Dial("tcp", h.addr, tlsconfig.Client([]*x509.Certificate{ca.Certificate()}, nil))
	require.NoError(t, err)
	defer c.Close()
	answers := bufio.NewReader(c)
	for _, r := range []struct {
		request string
		code    int
	}{
		{"POST //writeScope?" + entry(readToken, writeToken) + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\none", 200},
		{"GET //readScope/?" + entry(readToken, "") + " HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n", 200},
		{"GET https://x//readScope?" + entry(readToken, "") + " HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"DELETE //deleteScope?" + entry(readToken, otherToken) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 200},
		{"POST //writeScope?" + entry(readToken, writeToken) + " HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"POST //writeScope?" + entry(readToken, writeToken) + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n", 200},
	} {
		_, err := io.WriteString(c, r.request)
		require.NoError(t, err)
		response, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		require.Equal(t, r.code, response.StatusCode, r.request)
	}
	require.Equal(t, "two", h.value())
}

// Real curl with the files that cometd makes does all five calls, and is nowhere redirected.
func TestCurl(t *testing.T) { eachStore(t, testCurl) }

func testCurl(t *testing.T, open func(*testing.T) server.Store) {
	curl := needs.Program(t, "curl", "curl")
	dir := filepath.Join(t.TempDir(), "certs")
	files, err := tlsconfig.WriteDevelopment(dir)
	require.NoError(t, err)
	live, err := tlsconfig.Open(files.Server, tlsconfig.Names{})
	require.NoError(t, err)
	defer live.Close()
	store := open(t)
	defer store.Close()
	l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- server.Serve(ctx, server.New(store, server.WithTrust(live.Trusted)), live.Server(), l)
	}()
	base := "https://" + l.Addr().String()
	run := func(args ...string) string {
		t.Helper()
		args = append([]string{"--silent", "--show-error", "--path-as-is", "--cacert", files.CA, "--write-out", " %{http_code} %{num_redirects}"}, args...)
		out, err := exec.Command(curl, args...).CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	identity := []string{"--cert", files.Client.Cert, "--key", files.Client.Key}
	both, read := entry(readToken, writeToken), entry(readToken, "")

	out := run("-X", "POST", "--data", `{"val_":"[]"}`, base+"//writeScope?"+both)
	require.Contains(t, out, unauthorized)
	require.True(t, strings.HasSuffix(out, " 400 0"), out)
	out = run(append(identity, "-X", "POST", "--data", `{"val_":"[]"}`, base+"//writeScope?"+both)...)
	require.Contains(t, out, "success, added Accumulo row: ")
	require.True(t, strings.HasSuffix(out, " 200 0"), out)
	out = run("-X", "POST", "-H", "Content-Type: application/json", "-H", "Accept: application/json", "--data", `""`, base+"//writeScope?"+both)
	require.Contains(t, out, `"created":false`)
	require.Contains(t, run(base+"//readScope?"+read), `"value":"\"\""`)
	require.Contains(t, run(base+"//enumerateScope?"+read), `"key":"vm"`)
	require.Contains(t, run(base+"//getVersion"), store.Identity())
	require.Contains(t, run("-X", "DELETE", base+"//deleteScope?"+both), unauthorized)
	require.Contains(t, run(append(identity, "-X", "DELETE", base+"//deleteScope?"+both)...), "Scope deleted")

	// Two megabytes: curl asks first whether it may send them.
	big := filepath.Join(t.TempDir(), "big")
	require.NoError(t, os.WriteFile(big, make([]byte, 2*server.MaxValue), 0o600))
	require.Contains(t, run(append(identity, "-X", "POST", "--data-binary", "@"+big, base+"//writeScope?"+both)...), " 413 0")
	cancel()
	require.NoError(t, <-ended)
}

func TestManyWritersOverTLS(t *testing.T) {
	h := start(t)
	const writers, writes = 64, 10
	var wg sync.WaitGroup
	for i := range writers {
		c := h.client(trusted)
		wg.Go(func() {
			for j := range writes {
				key := fmt.Sprintf("vm-%d-%d", i, j)
				q := query("contextID", "slice", "family", "hostsall", "Key", key, "readToken", readToken, "writeToken", writeToken)
				a, err := h.send(c, "POST", "//writeScope?"+q, key)
				assert.NoError(t, err)
				assert.Equal(t, 200, a.code, a.raw)
			}
		})
	}
	wg.Wait()
	id := scope.MustName("slice", "hostsall", "vm").Context
	listing, err := h.store.List(t.Context(), id, scope.MustToken(readToken), scope.Family{})
	require.NoError(t, err)
	require.Len(t, listing.Entries, writers*writes)
	for _, e := range listing.Entries {
		require.Equal(t, e.Name.Key.String(), e.Value)
	}
}

// brokenStore fails as a disk does.
type brokenStore struct{ server.Store }

var errDisk = errors.New("disk on fire")

func (brokenStore) Read(context.Context, scope.Name, scope.Token) (server.Entry, bool, error) {
	return server.Entry{}, false, errDisk
}

func (brokenStore) List(context.Context, scope.ContextID, scope.Token, scope.Family) (server.Listing, error) {
	return server.Listing{}, errDisk
}

func (brokenStore) Apply(context.Context, ...server.Change) ([]server.Result, error) {
	return nil, errDisk
}

func (brokenStore) Since(context.Context, scope.ContextID, scope.Token, uint64, ...scope.Family) (server.Changes, error) {
	return server.Changes{}, errDisk
}

func TestStoreThatFailsIsAnEnvelopeToo(t *testing.T) {
	h := start(t)
	log := h.logger()
	l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	head := server.New(brokenStore{}, server.WithoutCertificateChecks(), server.WithLogger(log))
	go func() { ended <- server.Serve(ctx, head, h.config, l) }()
	h.addr = l.Addr().String()
	c := h.client(nobody)
	const failed = "The head's store failed"
	h.request(c, "GET", "/readScope?"+entry(readToken, ""), "").refused(t, 500, failed)
	h.request(c, "GET", "/enumerateScope?"+entry(readToken, ""), "").refused(t, 500, failed)
	h.watch(c, "contextID=slice", readToken).refused(t, 500, failed)
	const message = failed + "; whether a change was made is unknown"
	h.request(c, "POST", "/writeScope?"+entry(readToken, writeToken), "Planted").refused(t, 500, message)
	h.request(c, "DELETE", "/deleteScope?"+entry(readToken, writeToken), "").refused(t, 500, message)
	h.request(c, "POST", "/writeScopes", batch("slice", item("vm", "Planted"))).refused(t, 500, message)
	h.request(c, "POST", "/deleteScopes", batch("slice", item("vm", ""))).refused(t, 500, message)
	require.Equal(t, 7, strings.Count(h.log.String(), errDisk.Error()))
	h.noSecrets()
	c.CloseIdleConnections()
	cancel()
	require.NoError(t, <-ended)
}

// fullStore has no room.
type fullStore struct{ server.Store }

func (fullStore) Apply(context.Context, ...server.Change) ([]server.Result, error) {
	return nil, fmt.Errorf("disk: %w", server.ErrNoRoom)
}

func TestStoreWithoutRoomSaysThatNothingWasChanged(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s := httptest.NewServer(server.New(fullStore{}, server.WithoutCertificateChecks(), server.WithLogger(log)))
	defer s.Close()
	response, err := s.Client().Post(s.URL+"/writeScope?"+entry(readToken, writeToken), "", strings.NewReader("x"))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 500, response.StatusCode)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), "The head's store has no room; nothing was changed")
}

// A head also answers under a server that does not know it, without a place for verdicts.
func TestHeadUnderAnotherServer(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	defer store.Close()
	s := httptest.NewTLSServer(server.New(store, server.WithTrust(func(*tls.ConnectionState) bool { return true })))
	defer s.Close()
	response, err := s.Client().Post(s.URL+"//writeScope?"+entry(readToken, writeToken), "", strings.NewReader("x"))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 400, response.StatusCode, "trusted without a certificate")
}

func TestNonsenseOnTheWire(t *testing.T) {
	h := start(t)
	c, err := net.DialTimeout("tcp", h.addr, 5*time.Second)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET /readScope?"+entry(readToken, "")+" HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	_, err = io.ReadAll(c)
	require.NoError(t, err)
	h.request(h.client(nobody), "GET", "/getVersion", "")
	require.Contains(t, h.log.String(), "TLS handshake error")
	h.noSecrets()
}
