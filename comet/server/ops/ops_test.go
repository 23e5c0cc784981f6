package ops_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/ops"
)

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
	return w.Code, w.Body.String()
}

func TestReady(t *testing.T) {
	o := ops.New("store")
	requireSays := func(path string, code int, text string) {
		t.Helper()
		gotCode, got := get(t, o, path)
		require.Equal(t, code, gotCode)
		require.Equal(t, text+"\n", got)
	}
	requireSays("/healthz", 200, "ok")
	requireSays("/readyz", 503, "not ready: starting")
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	o.Ready(server.New(store).Ready)
	requireSays("/readyz", 200, "ready")
	require.NoError(t, store.Close())
	requireSays("/readyz", 503, "not ready: read: the store is closed")
	o.Ready(func(context.Context) error { return errors.New("change: disk on fire") })
	requireSays("/readyz", 503, "not ready: change: disk on fire")
	requireSays("/healthz", 200, "ok")
	o.Ready(func(ctx context.Context) error {
		_, bounded := ctx.Deadline()
		require.True(t, bounded, "a store that hangs")
		return nil
	})
	requireSays("/readyz", 200, "ready")
}

func TestMetrics(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	defer store.Close()
	o := ops.New(store.Identity())
	head := server.New(store, server.WithObserver(o.Observe), server.WithoutCertificateChecks(), server.WithLimits(server.Limits{Entries: 1}))
	o.Gauge("comet_head_watches", "Watches that wait.", func() float64 { return float64(head.Watching()) })
	const entry = "contextID=Planted-context&family=Planted-family&readToken=Planted-Read-1&writeToken=Planted-Write-1&Key="
	for _, r := range [][2]string{{"POST", "/writeScope?" + entry + "a"}, {"POST", "/writeScope?" + entry + "a"}, {"POST", "/writeScope?" + entry + "b"}, {"GET", "/Planted"}} {
		head.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), r[0], r[1], strings.NewReader("Planted")))
	}
	code, text := get(t, o, "/metrics")
	require.Equal(t, 200, code)
	for _, line := range []string{
		`comet_head_answers_total{call="writeScope",code="200"} 2`,
		`comet_head_answers_total{call="writeScope",code="413"} 1`,
		`comet_head_answers_total{call="unknown",code="404"} 1`,
		`comet_head_answer_duration_seconds_count{call="writeScope"} 3`,
		`comet_head_limited_total{limit="entries"} 1`,
		`comet_head_limited_total{limit="requests"} 0`,
		`comet_head_watches 0`,
		`comet_head_info{store="` + store.Identity() + `",version="1.0.5"} 1`,
		"go_goroutines ",
		"process_open_fds ",
	} {
		require.Contains(t, text, "\n"+line)
	}
	require.NotContains(t, text, "Planted")
}

func TestServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := ops.New("store").Server()
	ended := make(chan error)
	go func() { ended <- s.Serve(l) }()
	response, err := http.Get("http://" + l.Addr().String() + "/healthz")
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, "ok\n", string(body))
	for path, code := range map[string]int{"/": 404, "/readScope": 404, "/debug/pprof/": 404} {
		response, err := http.Get("http://" + l.Addr().String() + path)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, code, response.StatusCode)
	}
	require.Positive(t, min(s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout))
	http.DefaultClient.CloseIdleConnections()
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-ended, http.ErrServerClosed)
}
