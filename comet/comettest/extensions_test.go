package comettest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet/comettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	watch = "GET /watchScope?contextID=s&wait=0s"
	write = "POST /writeScopes"
	body  = `{"contextId":"s","entries":[{"family":"f","key":"k","readToken":"r","writeToken":"w","value":"v"}]}`
)

// ask sends "METHOD /path?query" to head 0.
func ask(ctx context.Context, t *testing.T, heads *comettest.Heads, call string) (code int, answer string, err error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: heads.TLS()}
	defer transport.CloseIdleConnections()
	method, path, _ := strings.Cut(call, " ")
	var sent io.Reader
	if method == http.MethodPost {
		sent = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, heads.URL(0)+path, sent)
	require.NoError(t, err)
	r.Header.Set("Comet-Read-Token", "r")
	response, err := transport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

func TestExtensionsAreServedAndCounted(t *testing.T) {
	heads := comettest.Start(t, 1)
	for _, call := range []string{watch, write, watch} {
		code, answer, err := ask(t.Context(), t, heads, call)
		require.NoError(t, err)
		require.Equal(t, 200, code, answer)
	}
	assert.Equal(t, 2, heads.Calls(0, "watchScope"))
	assert.Equal(t, 1, heads.Calls(0, "writeScopes"))
	assert.Equal(t, 3, heads.Calls(0, ""))
}

func TestFaultsApplyToExtensions(t *testing.T) {
	heads := comettest.Start(t, 1)
	heads.Set(0, comettest.Status(503).On("watchScope"), comettest.Busy(7).On("writeScopes"))
	code, _, err := ask(t.Context(), t, heads, watch)
	require.NoError(t, err)
	assert.Equal(t, 503, code)
	code, _, err = ask(t.Context(), t, heads, write)
	require.NoError(t, err)
	assert.Equal(t, 429, code)

	heads.Set(0, comettest.StatusAfter(500).On("writeScopes"), comettest.Cut(5).On("watchScope").Times(1))
	code, _, err = ask(t.Context(), t, heads, write)
	require.NoError(t, err)
	assert.Equal(t, 500, code)
	_, _, err = ask(t.Context(), t, heads, watch)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, answer, err := ask(t.Context(), t, heads, watch)
	require.NoError(t, err)
	assert.Contains(t, answer, `"key":"k","value":"v"`, "the write was carried out")

	heads.Set(0, comettest.Empty().On("watchScope"))
	_, answer, err = ask(t.Context(), t, heads, watch)
	require.NoError(t, err)
	assert.Contains(t, answer, `"whole":true,"families":[]`)
}

// Both a watch that hangs by a fault and one that waits as it should break when the head is stopped.
func TestStoppedHeadsBreakWatches(t *testing.T) {
	heads := comettest.Start(t, 1)
	_, answer, err := ask(t.Context(), t, heads, watch)
	require.NoError(t, err)
	_, rev, _ := strings.Cut(answer, `"rev":"`)
	rev, _, _ = strings.Cut(rev, `"`)
	for _, faults := range [][]comettest.Fault{nil, {comettest.Hang()}} {
		heads.Set(0, faults...)
		before := heads.Calls(0, "watchScope")
		broken := make(chan error, 1)
		go func() {
			_, _, err := ask(context.WithoutCancel(t.Context()), t, heads, "GET /watchScope?contextID=s&wait=120s&since="+rev)
			broken <- err
		}()
		require.Eventually(t, func() bool { return heads.Calls(0, "watchScope") > before }, 20*time.Second, time.Millisecond)
		heads.Stop(0)
		require.Error(t, <-broken)
		heads.Restart(0)
	}
}
