package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
)

// extended is a head that lets everybody write, and a way to ask it with headers.
type extended struct {
	*testing.T
	url string
}

func startExtended(t *testing.T, options ...server.Option) extended {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	s := httptest.NewServer(server.New(store, append(options, server.WithoutCertificateChecks())...))
	t.Cleanup(func() {
		s.Close()
		require.NoError(t, store.Close())
	})
	return extended{t, s.URL}
}

// ask sends a request with headers given as name, value, name, value …
func (e extended) ask(method, path, body string, headers ...string) (code int, tag, answer string) {
	e.Helper()
	r, err := http.NewRequest(method, e.url+path, strings.NewReader(body))
	require.NoError(e, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(e, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(e, err)
	return response.StatusCode, response.Header.Get("ETag"), string(text)
}

const (
	atA   = "?contextID=s&family=hostsall&Key=a&readToken=r&writeToken=w"
	atB   = "?contextID=s&family=hostsall&Key=b&readToken=r&writeToken=w"
	listA = "?contextID=s&family=hostsall&readToken=r"
)

func TestTagsChangeWithWhatTheyStandFor(t *testing.T) {
	e := startExtended(t)
	_, written, _ := e.ask("POST", "/writeScope"+atA, "1")
	require.NotEmpty(t, written)
	_, read, _ := e.ask("GET", "/readScope"+atA, "")
	assert.Equal(t, written, read)
	_, listed, _ := e.ask("GET", "/enumerateScope"+listA, "")

	code, _, answer := e.ask("GET", "/readScope"+atA, "", "If-None-Match", `"x.1", W/`+read)
	assert.Equal(t, http.StatusNotModified, code)
	assert.Empty(t, answer)
	code, _, _ = e.ask("GET", "/enumerateScope"+listA, "", "If-None-Match", listed)
	assert.Equal(t, http.StatusNotModified, code)

	// The same value put again, and what another token shows, change no tag.
	e.ask("POST", "/writeScope"+atA, "1")
	e.ask("POST", "/writeScope?contextID=s&family=hostsall&Key=a&readToken=other&writeToken=w", "1")
	code, _, _ = e.ask("GET", "/enumerateScope"+listA, "", "If-None-Match", listed)
	assert.Equal(t, http.StatusNotModified, code)

	// A new entry changes the list's and not the entry's; a removal likewise.
	e.ask("POST", "/writeScope"+atB, "1")
	code, listed, _ = e.ask("GET", "/enumerateScope"+listA, "", "If-None-Match", listed)
	assert.Equal(t, http.StatusOK, code)
	code, _, _ = e.ask("GET", "/readScope"+atA, "", "If-None-Match", read)
	assert.Equal(t, http.StatusNotModified, code)
	e.ask("DELETE", "/deleteScope"+atB, "")
	code, _, _ = e.ask("GET", "/enumerateScope"+listA, "", "If-None-Match", listed)
	assert.Equal(t, http.StatusOK, code)
}

func TestConditionalChangesAreMadeOnlyOnWhatWasSeen(t *testing.T) {
	e := startExtended(t)
	change := func(method, path string, headers ...string) int {
		code, _, _ := e.ask(method, path, "new", headers...)
		return code
	}
	require.Equal(t, 200, change("POST", "/writeScope"+atA, "If-None-Match", "*"))
	assert.Equal(t, 412, change("POST", "/writeScope"+atA, "If-None-Match", "*"))
	assert.Equal(t, 412, change("POST", strings.Replace("/writeScope"+atA, "=w", "=other", 1), "If-None-Match", "*"))
	_, tag, _ := e.ask("GET", "/readScope"+atA, "")
	require.Equal(t, 200, change("POST", "/writeScope"+atA, "If-Match", tag), "the same value: nothing changes")
	code, next, _ := e.ask("POST", "/writeScope"+atA, "newer", "If-Match", tag)
	require.Equal(t, 200, code)
	assert.NotEqual(t, tag, next)
	for _, stale := range []string{tag, `"elsewhere.1"`, `"x"`, "*"} {
		assert.Equal(t, 412, change("POST", "/writeScope"+atA, "If-Match", stale))
		assert.Equal(t, 412, change("DELETE", "/deleteScope"+atA, "If-Match", stale))
	}
	assert.Equal(t, 403, change("POST", strings.Replace("/writeScope"+atA, "=w", "=other", 1), "If-Match", next))
	assert.Equal(t, 400, change("POST", "/writeScope"+atA, "If-None-Match", next))
	for _, header := range []string{"If-Match", "If-None-Match"} {
		assert.Equal(t, 400, change("POST", "/writeScope"+atA, header, " "))
		assert.Equal(t, 400, change("DELETE", "/deleteScope"+atA, header, next, header, next))
	}
	require.Equal(t, 200, change("DELETE", "/deleteScope"+atA, "If-Match", next))
	assert.Equal(t, 412, change("POST", "/writeScope"+atA, "If-Match", next), "it is gone")
	_, _, answer := e.ask("GET", "/readScope"+atA, "")
	assert.Contains(t, answer, `"value":{}`)
}

func TestTokensInHeaders(t *testing.T) {
	e := startExtended(t)
	const at = "?contextID=s&family=hostsall&Key=a"
	code, _, answer := e.ask("POST", "/writeScope"+at, "1", "Comet-Read-Token", "r%20%2f", "Comet-Write-Token", "w")
	require.Equal(t, 200, code, answer)
	_, _, answer = e.ask("GET", "/readScope"+at+"&readToken=r+%2F", "")
	assert.Contains(t, answer, `"value":"1"`)
	for _, headers := range [][]string{
		{"Comet-Read-Token", "r%2"},
		{"Comet-Read-Token", "r", "Comet-Read-Token", "r"},
	} {
		code, _, answer = e.ask("GET", "/readScope"+at, "", headers...)
		assert.Equal(t, 400, code)
		assert.Contains(t, answer, "Comet-Read-Token")
	}
	code, _, answer = e.ask("GET", "/readScope"+at+"&readToken=Planted", "", "Comet-Read-Token", "r")
	assert.Equal(t, 400, code)
	assert.NotContains(t, answer, "Planted")
}

func TestWithoutExtensionsAHeadIsLikeADeployedOne(t *testing.T) {
	e := startExtended(t, server.WithoutExtensions())
	_, _, answer := e.ask("GET", "/getVersion", "")
	assert.JSONEq(t, `{"status":"OK","message":"success","value":{"Comet version":"1.0.5","Comet API version":"1.0.0"},"version":"1.0.5"}`, answer)
	for _, call := range []string{"POST /writeScopes", "POST /deleteScopes", "GET /watchScope"} {
		method, path, _ := strings.Cut(call, " ")
		code, _, answer := e.ask(method, path+"?contextID=s", "", "Comet-Read-Token", "r")
		assert.Equal(t, 404, code, answer)
	}
	code, tag, _ := e.ask("POST", "/writeScope"+atA, "1", "If-Match", `"x.1"`)
	assert.Equal(t, 200, code)
	assert.Empty(t, tag)
	code, _, _ = e.ask("GET", "/readScope?contextID=s&family=hostsall&Key=a", "", "Comet-Read-Token", "r")
	assert.Equal(t, 400, code)
}
