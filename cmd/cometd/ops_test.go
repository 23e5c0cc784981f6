//go:build unix

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// operators asks the address for operators, without certificates.
func (h *head) operators(path string) (int, string) {
	h.Helper()
	response, err := http.Get(strings.TrimSuffix(h.ready["metrics"], "/metrics") + path)
	require.NoError(h, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(h, err)
	return response.StatusCode, string(body)
}

func TestOperatorsHaveAnAddressOfTheirOwn(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	h := serveHead(t, t.TempDir(), nil, "--metrics-listen", "127.0.0.1:0")
	for path, says := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		code, text := h.operators(path)
		require.Equal(t, 200, code)
		require.Equal(t, says, text)
	}
	_, _, err := h.call("POST", "/writeScope", "vm", "Planted")
	require.NoError(t, err)
	_, text := h.operators("/metrics")
	require.Contains(t, text, `comet_head_answers_total{call="writeScope",code="200"} 1`)
	require.Contains(t, text, "\ncomet_head_watches 0\n")
	require.Contains(t, text, "\ncomet_head_certificate_reload_failed 0\n")
	require.Regexp(t, `\ncomet_head_certificate_expiry_timestamp_seconds [1-9]`, text)
	require.NotContains(t, text, "Planted")
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		code, _, err := h.call("GET", path, "vm", "")
		require.NoError(t, err)
		require.Equal(t, 404, code, "clients get nothing of it")
	}
	h.terminate()

	none := serveHead(t, t.TempDir(), nil)
	require.Empty(t, none.ready["metrics"])
	none.terminate()
	code, _, stderr := output(t, nil, "serve", "--data", t.TempDir(), "--metrics-listen", "127.0.0.1")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, `--metrics-listen "127.0.0.1" is not a host or address and a port`)
}

// On a disk that failed the head reads on, and says that it is not ready.
func TestNotReadyOnAFullDisk(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	h := serveHead(t, t.TempDir(), []string{maxFile + "=262144"}, "--metrics-listen", "127.0.0.1:0")
	for i, code := 0, 200; code == 200; i++ {
		require.Less(t, i, 100, "the disk was never full")
		var err error
		code, _, err = h.call("POST", "/writeScope", fmt.Sprint("vm-", i), strings.Repeat("Planted", 1000))
		require.NoError(t, err)
	}
	code, text := h.operators("/readyz")
	require.Equal(t, 503, code)
	require.Contains(t, text, "not ready: change: the store takes no more changes since one failed")
	code, _ = h.operators("/healthz")
	require.Equal(t, 200, code)
	require.NotEmpty(t, h.entries())
	h.terminate()
}

// A request under way and a watch that waits are answered although the end has come.
func TestEndsGently(t *testing.T) {
	h := serveHead(t, t.TempDir(), nil, "--access-log", "--metrics-listen", "127.0.0.1:0")
	code, _, err := h.call("POST", "/writeScope", "vm", "one")
	require.NoError(t, err)
	require.Equal(t, 200, code)
	watch := func(rev string) *http.Response {
		r, err := http.NewRequest("GET", h.base+"/watchScope?contextID=slice&wait=60s&since="+rev, nil)
		assert.NoError(t, err)
		r.Header.Set("Comet-Read-Token", readToken)
		response, err := h.client.Do(r)
		if !assert.NoError(t, err) {
			return &http.Response{}
		}
		return response
	}
	first := watch("x")
	body, err := io.ReadAll(first.Body)
	require.NoError(t, err)
	first.Body.Close()
	_, rev, _ := strings.Cut(string(body), `"rev":"`)
	rev, _, _ = strings.Cut(rev, `"`)

	dismissed := make(chan *http.Response)
	go func() { dismissed <- watch(rev) }()
	slow, feed := io.Pipe()
	transport := h.client.Transport.(*http.Transport).Clone()
	transport.ExpectContinueTimeout = time.Minute
	defer transport.CloseIdleConnections()
	written := make(chan int)
	go func() {
		q := url.Values{"contextID": {"slice"}, "family": {"f"}, "Key": {"slow"}, "readToken": {readToken}, "writeToken": {writeToken}}
		r, err := http.NewRequest("POST", h.base+"/writeScope?"+q.Encode(), slow)
		assert.NoError(t, err)
		r.Header.Set("Expect", "100-continue")
		response, err := transport.RoundTrip(r)
		if !assert.NoError(t, err) {
			written <- 0
			return
		}
		response.Body.Close()
		written <- response.StatusCode
	}()
	_, err = io.WriteString(feed, "half a value") // which the head asks for once it is at this request
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, text := h.operators("/metrics")
		return strings.Contains(text, "\ncomet_head_watches 1\n")
	}, time.Minute, 5*time.Millisecond)
	http.DefaultClient.CloseIdleConnections()
	require.NoError(t, h.process.Process.Signal(syscall.SIGTERM))
	response := <-dismissed
	require.Equal(t, 503, response.StatusCode)
	require.NotEmpty(t, response.Header.Get("Retry-After"))
	response.Body.Close()
	code, text := h.operators("/readyz")
	require.Equal(t, 503, code)
	require.Equal(t, "not ready: ending\n", text)
	http.DefaultClient.CloseIdleConnections()
	_, err = io.WriteString(feed, " and the other half")
	require.NoError(t, err)
	require.NoError(t, feed.Close())
	require.Equal(t, 200, <-written)
	h.client.CloseIdleConnections()
	transport.CloseIdleConnections()
	require.NoError(t, h.process.Wait(), h.log.String())
	require.Contains(t, h.log.String(), "log=audit call=writeScope code=200 subject=")
	require.Contains(t, h.log.String(), "log=access call=watchScope code=503")
	require.NotContains(t, h.log.String(), "Planted")
}

// Other certificates in the same files come to use without a restart: the head's own, and the CA of those it trusts.
func TestCertificatesAreReadAgain(t *testing.T) {
	made := func(name string) tlsconfig.Development {
		d, err := tlsconfig.WriteDevelopment(filepath.Join(t.TempDir(), name))
		require.NoError(t, err)
		return d
	}
	before, after, used := made("before"), made("after"), t.TempDir()
	file := func(name string) string { return filepath.Join(used, name) }
	place := func(d tlsconfig.Development) {
		for name, from := range map[string]string{"ca.pem": d.Client.CA, "server.pem": d.Server.Cert, "server.key": d.Server.Key} {
			content, err := os.ReadFile(from)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file(name+".new"), content, 0o600))
			require.NoError(t, os.Rename(file(name+".new"), file(name)))
		}
	}
	place(before)
	h := serveHead(t, t.TempDir(), nil, "--cacert", file("ca.pem"), "--cert", file("server.pem"), "--key", file("server.key"))
	as := func(d tlsconfig.Development) {
		h.ready["cacert"], h.ready["cert"], h.ready["key"] = d.Client.CA, d.Client.Cert, d.Client.Key
		h.client = h.newClient()
	}
	as(before)
	code, body, err := h.call("POST", "/writeScope", "vm", "one")
	require.NoError(t, err)
	require.Equal(t, 200, code, body)
	as(after)
	_, _, err = h.call("GET", "/getVersion", "vm", "")
	require.Error(t, err)

	place(after)
	as(after)
	code, body, err = h.call("POST", "/writeScope", "other", "two")
	require.NoError(t, err)
	require.Equal(t, 200, code, body)
	as(before)
	_, _, err = h.call("GET", "/getVersion", "vm", "")
	require.Error(t, err, "the old CA is trusted no more")
	h.terminate()
}
