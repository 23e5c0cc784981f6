package server_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
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
	store, err := bolt.Open(filepath.Join(f.TempDir(), "comet.db"))
	require.NoError(f, err)
	f.Cleanup(func() { store.Close() })
	head := server.New(store, server.WithoutCertificateChecks())
	f.Fuzz(func(t *testing.T, method, path, rawQuery, body string) {
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL = method, &url.URL{Path: path, RawQuery: rawQuery}
		w := httptest.NewRecorder()
		head.ServeHTTP(w, r)
		require.Contains(t, []int{200, 400, 403, 404, 405, 413}, w.Code)
		var a answer
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a))
		require.Contains(t, []string{"OK", "status"}, a.Status)
		require.Equal(t, w.Code == 200, a.Status == "OK")
		q, _ := url.ParseQuery(rawQuery)
		for _, token := range slices.Concat(q["readToken"], q["writeToken"]) {
			if strings.HasPrefix(token, "Planted") && a.Status != "OK" {
				require.NotContains(t, w.Body.String(), token)
			}
		}
	})
}
