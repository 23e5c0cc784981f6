package server_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
)

// Whatever is asked, the answer is an envelope with one of the protocol's codes, and quotes no token.
func FuzzRequest(f *testing.F) {
	for _, q := range []string{entry(readToken, writeToken), entry(readToken, ""), entry("", ""), "contextID=%zz", "a;b", "contextID=a&contextID=b", "readToken=Planted%00"} {
		for _, path := range []string{"/writeScope", "//readScope", "/enumerateScope", "/deleteScope/", "/getVersion", "/x"} {
			f.Add("POST", path, q, "body")
			f.Add("GET", path, q, "")
			f.Add("DELETE", path, q, "\xff")
		}
	}
	f.Add("GET", "/watchScope", "contextID=a&family=b&family=c&wait=0s&since=x.1", "")
	for _, path := range []string{"/writeScopes", "/deleteScopes"} {
		f.Add("POST", path, "", batch("slice", item("Planted", "Planted", "ifMatch", "Planted")))
		f.Add("POST", path, "", `{"contextId":"a","entries":[null,{"Planted":["Planted"]}]}`)
	}
	store, err := bolt.Open(filepath.Join(f.TempDir(), "comet.db"))
	require.NoError(f, err)
	f.Cleanup(func() { store.Close() })
	head := server.New(store, server.WithoutCertificateChecks())
	f.Fuzz(func(t *testing.T, method, path, rawQuery, body string) {
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		if strings.Contains(path, "watchScope") {
			r.Header.Set("Comet-Read-Token", body)
		}
		r.Method, r.URL = method, &url.URL{Path: path, RawQuery: rawQuery}
		w := httptest.NewRecorder()
		head.ServeHTTP(w, r)
		require.Contains(t, []int{200, 400, 403, 404, 405, 412, 413}, w.Code)
		var a answer
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a))
		require.Contains(t, []string{"OK", "status"}, a.Status)
		require.Equal(t, w.Code == 200, a.Status == "OK")
		if a.Status != "OK" {
			require.NotContains(t, w.Body.String(), "Planted")
		}
	})
}
