package comet_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/cometprom"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/scope"
)

// record is what somebody in between writes down.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// Two proxies that record everything: one on the wire, one that ends TLS and keeps an access log. With debug logging and metrics on,
// no token is in any of them, and the value is nowhere either.
func TestNobodyInBetweenSeesAToken(t *testing.T) {
	heads := comettest.Start(t, 1)
	wire, access, log := &record{}, &record{}, &record{}
	front := accessProxy(t, heads, access)
	registry := prometheus.NewRegistry()
	observe, err := cometprom.New(registry)
	require.NoError(t, err)
	client, err := comet.New("https://"+wireProxy(t, front.Listener.Addr().String(), wire), front.Client().Transport.(*http.Transport).TLSClientConfig,
		comet.WithLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))), comet.WithObserver(observe))
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })

	value := scope.Encode(scope.Script{Name: "bootscript", Body: scope.Hide("echo bodyPlanted")})
	_, err = client.Write(t.Context(), testName, testTokens, value)
	require.NoError(t, err)
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.NoError(t, err)
	_, err = client.List(t.Context(), testName.Context, scope.Family{}, testTokens.Read)
	require.NoError(t, err)
	require.NoError(t, client.Delete(t.Context(), testName, testTokens))
	heads.Stop(0)
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.Error(t, err)
	fmt.Fprintln(log, err)

	families, err := registry.Gather()
	require.NoError(t, err)
	require.NotEmpty(t, families)
	assert.Contains(t, access.String(), "POST /writeScope?contextID=s")
	assert.Contains(t, log.String(), "op=write")
	assert.Greater(t, len(wire.String()), 1000)
	for _, seen := range []string{wire.String(), access.String(), log.String(), fmt.Sprint(families)} {
		assert.NotContains(t, seen, "Planted")
	}
}

// accessProxy ends TLS before the head and writes down every request line, as a site's load balancer does.
func accessProxy(t *testing.T, heads *comettest.Heads, to io.Writer) *httptest.Server {
	behind, err := url.Parse(heads.URL(0))
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: heads.TLS()}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.Transport = transport
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(to, r.Method, r.RequestURI)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front
}

// wireProxy passes bytes on and writes them all down. It returns its address.
func wireProxy(t *testing.T, behind string, to io.Writer) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", behind)
			if err != nil {
				near.Close()
				continue
			}
			pass := func(from, into net.Conn) {
				io.Copy(io.MultiWriter(into, to), from)
				into.Close()
			}
			running.Go(func() { pass(near, far) })
			running.Go(func() { pass(far, near) })
		}
	})
	return l.Addr().String()
}

func TestHTTP2IsSpokenWhereItIsAskedFor(t *testing.T) {
	protocols := make(chan string, 10)
	head := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols <- r.Proto
		io.WriteString(w, versionAnswer)
	}))
	head.EnableHTTP2 = true
	head.StartTLS()
	t.Cleanup(head.Close)
	config := func() *tls.Config {
		c := head.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		c.NextProtos = nil
		return c
	}
	for want, options := range map[string][]comet.Option{"HTTP/1.1": nil, "HTTP/2.0": {comet.WithHTTP2()}} {
		client, err := comet.New(head.URL, config(), options...)
		require.NoError(t, err)
		_, err = client.Version(t.Context())
		require.NoError(t, err)
		require.NoError(t, client.Close())
		assert.Equal(t, want, <-protocols)
		assert.Equal(t, want, <-protocols)
	}
}
