package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet/internal/headtest"
	"github.com/renci-nrig/comet-go/comet/internal/logtest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func TestMain(m *testing.M) {
	if settings := os.Getenv(parkEnv); settings != "" {
		parkClients(settings)
		return
	}
	headtest.Main()
	goleak.VerifyTestMain(m)
}

// The tokens of the tests. They are found in no log and no answer.
const (
	readToken  = "Planted-Read-Token-1"
	writeToken = "Planted-Write-Token-1"
	otherToken = "Planted-Other-Token-1"
)

// Who comes with which certificate.
const (
	nobody     = "none"
	selfSigned = "self-signed"
	trusted    = "trusted"
	foreign    = "foreign"
	expired    = "expired"
)

// authority makes all certificates of the tests, once: keys take time.
var authority = sync.OnceValues(func() (*tlsconfig.Authority, error) { return tlsconfig.NewAuthority("tests", time.Hour) })

var identities = sync.OnceValues(func() (map[string]*tls.Certificate, error) {
	ca, err := authority()
	if err != nil {
		return nil, err
	}
	otherCA, err := tlsconfig.NewAuthority("somebody else", time.Hour)
	if err != nil {
		return nil, err
	}
	all := map[string]*tls.Certificate{nobody: nil}
	add := func(who string, c tls.Certificate, failed error) {
		all[who] = &c
		if failed != nil {
			err = failed
		}
	}
	c, failed := ca.Client("client")
	add(trusted, c, failed)
	c, failed = otherCA.Client("client")
	add(foreign, c, failed)
	past := tlsconfig.Template{CommonName: "client", Client: true, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	c, failed = ca.Issue(past)
	add(expired, c, failed)
	c, failed = tlsconfig.SelfSigned(tlsconfig.Template{CommonName: "client", Client: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)})
	add(selfSigned, c, failed)
	return all, err
})

// head is a head on a listener of its own, over TLS, on a store of its own.
type head struct {
	*testing.T
	addr   string
	config *tls.Config
	store  server.Store
	log    *logtest.Buffer
	stop   func()
}

func start(t *testing.T, opts ...server.Option) *head {
	t.Helper()
	return startOn(t, onFile(t), opts...)
}

// startOn closes the store in the end.
func startOn(t *testing.T, store server.Store, opts ...server.Option) *head {
	t.Helper()
	ca, err := authority()
	require.NoError(t, err)
	identity, err := ca.Server("head", "127.0.0.1")
	require.NoError(t, err)
	roots := []*x509.Certificate{ca.Certificate()}
	config := tlsconfig.Server(identity, roots)
	h := &head{T: t, config: config, store: store, log: new(logtest.Buffer)}
	trust := server.WithTrust(func(c *tls.ConnectionState) bool { return tlsconfig.Trusted(c, roots) })
	handler := server.New(store, append([]server.Option{trust, server.WithLogger(h.logger())}, opts...)...)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h.addr = listener.Addr().String()

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, handler, config, listener) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
		assert.NoError(t, store.Close())
	})
	t.Cleanup(h.stop)
	return h
}

// eachStore runs a test on every kind of store, which it closes. Open makes an empty one.
func eachStore(t *testing.T, test func(t *testing.T, open func(*testing.T) server.Store)) {
	t.Run("file", func(t *testing.T) { test(t, onFile) })
	t.Run("etcd", func(t *testing.T) {
		cluster := etcdtest.Start(t, 1)
		stores := 0
		test(t, func(t *testing.T) server.Store {
			stores++
			store, err := etcd.Open(t.Context(), cluster.URL(fmt.Sprint("/store/", stores)))
			require.NoError(t, err)
			return store
		})
	})
}

func onFile(t *testing.T) server.Store {
	t.Helper()
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	return store
}

// logger logs everything to where noSecrets looks.
func (h *head) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// client is an HTTP client with that certificate, and connections of its own.
func (h *head) client(who string) *http.Client {
	h.Helper()
	all, err := identities()
	require.NoError(h, err)
	ca, err := authority()
	require.NoError(h, err)
	transport := &http.Transport{TLSClientConfig: tlsconfig.Client([]*x509.Certificate{ca.Certificate()}, all[who])}
	h.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// answer is what came back.
type answer struct {
	code    int
	header  http.Header
	raw     string
	Status  string
	Message string
	Value   json.RawMessage
	Version string
}

// request sends method and path, which goes out as it is, and requires the envelope.
func (h *head) request(c *http.Client, method, path, body string) answer {
	h.Helper()
	a, err := h.send(c, method, path, body)
	require.NoError(h, err)
	return a
}

func (h *head) send(c *http.Client, method, path, body string) (answer, error) {
	at, query, _ := strings.Cut(path, "?")
	r := &http.Request{
		Method: method,
		URL:    &url.URL{Scheme: "https", Host: h.addr, Opaque: "//" + h.addr + at, RawQuery: query},
		Header: http.Header{},
		Body:   io.NopCloser(strings.NewReader(body)),
	}
	r.ContentLength = int64(len(body))
	if body == "" {
		r.Body = http.NoBody
	}
	response, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{code: response.StatusCode, header: response.Header, raw: string(raw)}
	assert.NoError(h, json.Unmarshal(raw, &a), a.raw)
	assert.Equal(h, "application/json", response.Header.Get("Content-Type"))
	assert.Equal(h, "1.0.5", a.Version)
	assert.NotEmpty(h, a.Message)
	return a, nil
}

// ok requires success with this value, as JSON.
func (a answer) ok(t *testing.T, value string) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.code, a.raw)
	require.Equal(t, "OK", a.Status)
	require.Equal(t, "success", a.Message)
	require.JSONEq(t, value, string(a.Value))
}

// refused requires a refusal in the form of deployed heads.
func (a answer) refused(t *testing.T, code int, message string) {
	t.Helper()
	require.Equal(t, code, a.code, a.raw)
	require.Equal(t, "status", a.Status)
	require.Equal(t, message, a.Message)
	var value string
	require.NoError(t, json.Unmarshal(a.Value, &value), "the value of a refusal is a string: %s", a.raw)
	require.NotEmpty(t, value)
}

// query builds the parameters from pairs of name and value.
func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return q.Encode()
}

// entry is the query for the one entry that most tests use.
func entry(read, write string) string {
	q := []string{"contextID", "slice", "family", "hostsall", "Key", "vm"}
	if read != "" {
		q = append(q, "readToken", read)
	}
	if write != "" {
		q = append(q, "writeToken", write)
	}
	return query(q...)
}

// put creates the one entry behind the head's back.
func (h *head) put(value string) {
	h.Helper()
	_, err := h.store.Apply(h.Context(), server.Change{
		Name:   scope.MustName("slice", "hostsall", "vm"),
		Tokens: scope.Tokens{Read: scope.MustToken(readToken), Write: scope.MustToken(writeToken)},
		Value:  value, MayCreate: true,
	})
	require.NoError(h, err)
}

// value is the one entry's, "" where it is not there.
func (h *head) value() string {
	h.Helper()
	e, _, err := h.store.Read(h.Context(), scope.MustName("slice", "hostsall", "vm"), scope.MustToken(readToken))
	require.NoError(h, err)
	return e.Value
}

// noSecrets requires that no token and no value got into the log, which must hold something.
func (h *head) noSecrets(more ...string) {
	h.Helper()
	text := h.log.String()
	require.NotEmpty(h, text)
	for _, planted := range append(more, readToken, writeToken, otherToken, "Planted") {
		require.NotContains(h, text, planted)
	}
}
