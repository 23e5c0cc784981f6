package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

// fuzzed is a head on a store with the one entry, under these tokens.
func fuzzed(f *testing.F, name string, tokens scope.Tokens, opts ...server.Option) (*server.Head, *bolt.Store) {
	store, err := bolt.Open(filepath.Join(f.TempDir(), name))
	require.NoError(f, err)
	f.Cleanup(func() { store.Close() })
	_, err = store.Apply(f.Context(), server.Change{Name: scope.MustName("slice", "hostsall", "vm"), Tokens: tokens, Value: "one", MayCreate: true})
	require.NoError(f, err)
	return server.New(store, append(opts, server.WithLogger(slog.New(slog.DiscardHandler)))...), store
}

// FuzzGuess: whoever has not the tokens gets, whatever the request, the answer that he would get if the entry were not there, and
// changes nothing.
func FuzzGuess(f *testing.F) {
	for _, q := range []string{entry("Guessed-1", "Guessed-2"), entry("Guessed-1", ""), "contextID=slice&readToken=Guessed-1&family=", "contextID=slice&family=%zz"} {
		for _, head := range []string{"", "Comet-Read-Token: Guessed%2D1\r\n", "If-None-Match: *\r\n", "If-Match: \"x.1\"\r\nAccept: text/html\r\n", "Expect: 100-continue\r\n"} {
			f.Add([]byte("GET //readScope?" + q + " HTTP/1.1\r\nHost: x\r\n" + head + "\r\n"))
			f.Add([]byte("GET /enumerateScope?" + q + " HTTP/1.0\r\n" + head + "\r\n"))
			f.Add([]byte("POST /writeScope?" + q + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + head + "\r\n3\r\ntwo\r\n0\r\n\r\n"))
			f.Add([]byte("DELETE http://y/./deleteScope/?" + q + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n" + head + "\r\nx"))
		}
	}
	f.Add([]byte("GET /watchScope?contextID=slice&family=hostsall&wait=0s HTTP/1.1\r\nHost: x\r\nComet-Read-Token: Guessed-1, Guessed-2\r\n\r\n"))
	for _, path := range []string{"/writeScopes", "/deleteScopes"} {
		body := batch("slice", item("vm", "Planted", "ifMatch", "x.1", "readToken", "Guessed-1"))
		f.Add(append([]byte("POST "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: identity\r\n\r\n"), body...))
		f.Add([]byte("POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"))
	}
	f.Add([]byte("CONNECT /readScope HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"))

	tokens := scope.NewTokens()
	head, store := fuzzed(f, "there", tokens)
	other, empty := fuzzed(f, "elsewhere", scope.NewTokens())
	f.Fuzz(func(t *testing.T, wire []byte) {
		code, said := ask(t, head, wire)
		otherCode, otherSaid := ask(t, other, wire)
		require.Equal(t, otherCode, code)
		require.Equal(t, strings.ReplaceAll(otherSaid, empty.Identity(), store.Identity()), said)
		e, found, err := store.Read(t.Context(), scope.MustName("slice", "hostsall", "vm"), tokens.Read)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, "one", e.Value)
		require.EqualValues(t, 1, e.Revision)
	})
}

// ask gives a head a request as it comes over a connection, and returns code, header and body of the answer; 0 where it is no request,
// or one that is cut short.
func ask(t *testing.T, head http.Handler, wire []byte) (code int, said string) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
	if err != nil {
		return 0, ""
	}
	w := httptest.NewRecorder()
	if !answered(head, w, r) {
		return 0, ""
	}
	if path.Clean("/"+r.URL.Path) != "/openapi.json" {
		var a answer
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a))
		require.Equal(t, server.Version, a.Version)
		require.Equal(t, w.Code == 200, a.Status == "OK")
	}
	var b strings.Builder
	w.Header().Write(&b)
	return w.Code, b.String() + w.Body.String()
}

// FuzzBatch: a batch is made whole, each entry as it says, or refused, and nothing is changed. A refusal quotes nothing of it.
func FuzzBatch(f *testing.F) {
	for _, write := range []bool{true, false} {
		f.Add(write, batch("slice", item("vm", "Planted"), item("new", "Planted", "ifNoneMatch", "*")))
		f.Add(write, batch("slice", item("vm", ""), item("new", "", "ifMatch", "x.1")))
		f.Add(write, batch("slice", item("vm", "Planted", "writeToken", otherToken), item("vm", "", "readToken", otherToken)))
		f.Add(write, `{"contextId":"slice","entries":[{"Family":"f","KEY":"k","key":"l","readToken":"a","writeToken":"\ud800","value":"\u0000Planted"}]}`)
		f.Add(write, `{"contextId":"Planted","contextId":"slice","entries":[null,{"Planted":["Planted"]}]}`)
		f.Add(write, `{"contextId":"slice","entries":`+strings.Repeat("[", 10000))
	}
	head, store := fuzzed(f, "store", scope.Tokens{Read: scope.MustToken(readToken), Write: scope.MustToken(writeToken)},
		server.WithoutCertificateChecks(), server.WithLimits(server.Limits{Entries: 20}))
	f.Fuzz(func(t *testing.T, write bool, body string) {
		list := func() server.Listing {
			l, err := store.List(context.Background(), scope.MustName("slice", "f", "k").Context, scope.MustToken(readToken), scope.Family{})
			require.NoError(t, err)
			return l
		}
		path, before := "/deleteScopes", list()
		if write {
			path = "/writeScopes"
		}
		w := httptest.NewRecorder()
		head.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(body)))
		if w.Code != 200 {
			require.Contains(t, []int{400, 403, 404, 412, 413}, w.Code, "%s", w.Body)
			require.NotContains(t, w.Body.String(), "Planted")
			require.Equal(t, before, list())
			return
		}
		requireMade(t, store, write, body, w.Body.Bytes())
	})
}

// requireMade requires that all of a batch was made, under one revision.
func requireMade(t *testing.T, store server.Store, write bool, body string, said []byte) {
	t.Helper()
	var asked struct {
		ContextID string
		Entries   []struct{ Family, Key, ReadToken, Value string }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &asked))
	var a struct {
		Value struct{ Entries []struct{ Rev string } }
	}
	require.NoError(t, json.Unmarshal(said, &a))
	require.Len(t, a.Value.Entries, len(asked.Entries))
	for _, e := range asked.Entries {
		got, found, err := store.Read(t.Context(), scope.MustName(asked.ContextID, e.Family, e.Key), scope.MustToken(e.ReadToken))
		require.NoError(t, err)
		require.Equal(t, write, found)
		require.Equal(t, write, got.Value == e.Value && found)
	}
}

// FuzzSubject: whatever a certificate says of its holder, he has a name that can stand in a log, and is an owner.
func FuzzSubject(f *testing.F) {
	ca, err := authority()
	require.NoError(f, err)
	f.Add(ca.Certificate().Raw)
	all, err := identities()
	require.NoError(f, err)
	f.Add(all[selfSigned].Certificate[0])
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		s := server.Subject(c)
		require.NotEmpty(t, s)
		require.NotEqual(t, "-", s)
		require.LessOrEqual(t, len(s), server.MaxOwner)
		require.True(t, utf8.ValidString(s))
		require.False(t, strings.ContainsFunc(s, unicode.IsControl), "%q", s)
	})
}
