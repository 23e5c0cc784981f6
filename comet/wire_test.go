package comet_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

const versionAnswer = `{"status":"OK","message":"success","value":{"Comet version":"1.0.5","Comet API version":"1.0.0"},"version":"1.0.5"}`

// deployed starts a server that answers getVersion as deployed heads do and everything else with the given handler.
func deployed(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if strings.HasSuffix(r.URL.Path, "/getVersion") {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, versionAnswer)
			return
		}
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func clientOf(t *testing.T, heads string, of *httptest.Server, options ...comet.Option) *comet.Client {
	config := of.Client().Transport.(*http.Transport).TLSClientConfig
	c, err := comet.New(heads, config, options...)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

var (
	testName   = scope.MustName("s", "hostsall", "k")
	testTokens = scope.Tokens{Read: scope.MustToken("readPlanted1"), Write: scope.MustToken("writePlanted1")}
	oddTokens  = scope.Tokens{Read: scope.MustToken(`re/Plan ted"1:ü`), Write: scope.MustToken(`wri+te/Plan&ted%1`)}
	testValue  = []byte(`{"val_":"[]"}`)
)

// Every answer of testdata/wire.json, to the call that it belongs to, and what a caller makes of it.
func TestAnswersOfDeployedHeads(t *testing.T) {
	text, err := os.ReadFile("../testdata/wire.json")
	require.NoError(t, err)
	var cases []struct {
		Name, Op, Means, RawBody, ContentType string
		Status                                int
		Body                                  json.RawMessage
	}
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)

	refused := map[string]error{
		"not found":                                      comet.ErrNotFound,
		"certificate refused":                            comet.ErrUnauthorized,
		"invalid tokens":                                 comet.ErrInvalid,
		"weak token":                                     comet.ErrInvalid,
		"write token refused":                            comet.ErrUnauthorized,
		"host failed; another host may serve":            comet.ErrUnavailable,
		"bad request, no message given":                  comet.ErrInvalid,
		"bad request; note that status is a number here": comet.ErrInvalid,
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			head := deployed(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if c.ContentType != "" {
					w.Header().Set("Content-Type", c.ContentType)
				}
				w.WriteHeader(c.Status)
				if c.Body != nil {
					w.Write(c.Body)
				}
				io.WriteString(w, c.RawBody)
			})
			client := clientOf(t, head.URL+"/", head)

			var got string
			var err error
			switch c.Op {
			case "read":
				var e comet.Entry
				if e, err = client.Read(t.Context(), testName, testTokens.Read); err == nil {
					got = "found"
					hosts, err := scope.Decode[scope.Host](e.Value)
					require.NoError(t, err)
					assert.Equal(t, []scope.Host{{HostName: "workers-0", IP: "152.54.14.31"}}, hosts)
				}
			case "enumerate":
				got, err = listed(t, client, c.Name)
			case "write":
				var o comet.Outcome
				o, err = client.Write(t.Context(), testName, testTokens, testValue)
				assert.Equal(t, comet.Written, o, "deployed heads do not tell")
				got = "ok"
			case "delete":
				err = client.Delete(t.Context(), testName, testTokens)
				got = "ok"
			case "version":
				var v comet.Version
				v, err = client.Version(t.Context())
				assert.Equal(t, comet.Version{Version: "1.0.5", API: "1.0.0"}, v)
				got = "ok, no extensions"
			}
			kind, isRefused := refused[c.Means]
			if !isRefused {
				require.NoError(t, err)
				assert.Equal(t, c.Means, got)
				return
			}
			require.ErrorIs(t, err, kind)
			assert.NotContains(t, err.Error(), "Planted")
			var one *comet.Error
			var all *comet.HeadsError
			require.True(t, errors.As(err, &one) || errors.As(err, &all))
		})
	}
}

// listed says of an enumeration what wire.json says of it.
func listed(t *testing.T, client *comet.Client, name string) (string, error) {
	family := scope.Family{}
	if name == "enumerate with family" {
		family = testName.Family
	}
	entries, err := client.List(t.Context(), testName.Context, family, testTokens.Read)
	if err != nil || len(entries) == 0 {
		return "no entries", err
	}
	assert.Equal(t, scope.MustName("s", "hostsall", "k1"), entries[0].Name)
	reset, bare := 0, 0
	for _, e := range entries {
		l, err := scope.ParseList(e.Value)
		require.NoError(t, err)
		switch {
		case string(e.Value) == `""`:
			reset++
		case l.Len() == 0:
			bare++
		}
	}
	switch {
	case len(entries) == 2 && reset == 1:
		return "2 entries, one of them reset", nil
	case len(entries) == 2 && bare == 1:
		return "2 entries, one without val_", nil
	}
	return "something else", nil
}

// What a request looks like on the wire: the words of the protocol, one leading slash, Accept, the body as it is.
func TestRequestsAreWhatDeployedHeadsRead(t *testing.T) {
	var seen []string
	head := deployed(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path+" "+r.URL.Query().Encode())
		assert.Equal(t, "application/json", r.Header.Get("Accept"))
		assert.Empty(t, r.Header.Values("X-Idempotency-Key"))
		io.WriteString(w, `{"status":"OK","message":"success","value":{"Success":"x"},"version":"1.0.5"}`)
	})
	client := clientOf(t, " "+head.URL+"/ ,", head)
	_, err := client.Write(t.Context(), testName, testTokens, testValue)
	require.NoError(t, err)
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.ErrorIs(t, err, comet.ErrNotFound)
	_, err = client.List(t.Context(), testName.Context, scope.Family{}, testTokens.Read)
	require.NoError(t, err)
	require.NoError(t, client.Delete(t.Context(), testName, testTokens))
	assert.Equal(t, []string{
		"POST /writeScope Key=k&contextID=s&family=hostsall&readToken=readPlanted1&writeToken=writePlanted1",
		"GET /readScope Key=k&contextID=s&family=hostsall&readToken=readPlanted1",
		"GET /enumerateScope contextID=s&readToken=readPlanted1",
		"DELETE /deleteScope Key=k&contextID=s&family=hostsall&readToken=readPlanted1&writeToken=writePlanted1",
	}, seen)
}

func TestCallsThatMakeNoSenseAskNoHead(t *testing.T) {
	head := deployed(t, func(http.ResponseWriter, *http.Request) { t.Error("a head was asked") })
	client := clientOf(t, head.URL, head)
	same := scope.Tokens{Read: testTokens.Read, Write: testTokens.Read}
	_, noName := client.Read(t.Context(), scope.Name{}, testTokens.Read)
	_, noToken := client.Read(t.Context(), testName, scope.Token{})
	_, noContext := client.List(t.Context(), scope.ContextID{}, scope.Family{}, testTokens.Read)
	_, equal := client.Write(t.Context(), testName, same, testValue)
	_, empty := client.Write(t.Context(), testName, testTokens, nil)
	_, notUTF8 := client.Write(t.Context(), testName, testTokens, []byte("\xff"))
	for _, err := range []error{noName, noToken, noContext, equal, empty, notUTF8, client.Delete(t.Context(), testName, scope.Tokens{})} {
		require.ErrorIs(t, err, comet.ErrInvalid)
		assert.NotContains(t, err.Error(), "Planted")
	}
}

func TestListsOfHeads(t *testing.T) {
	heads, err := comet.ParseHeads(" https://A:8111/ ,https://b/,,https://a:8111,http://[::1]:99//")
	require.NoError(t, err)
	assert.Equal(t, []string{"https://a:8111", "https://b:8111", "http://[::1]:99"}, heads)
	for _, bad := range []string{"", " , ", "a:8111", "ftp://a/", "https://", "https://u:planted@a/", "https://a/x", "https://a/?readToken=planted", "https://a:x/", "https://u:planted@a:x/", "u:planted@a"} {
		_, err := comet.ParseHeads(bad)
		require.Error(t, err, bad)
		assert.NotContains(t, err.Error(), "planted")
	}
}

// A head that repeats what it was sent, in whatever form, does not get a token into an error.
func TestWhatHeadsSayIsCleaned(t *testing.T) {
	var say func(r *http.Request) string
	head := deployed(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]any{"message": say(r)})
	})
	client := clientOf(t, head.URL, head)
	for name, f := range map[string]func(r *http.Request) string{
		"plain":     func(r *http.Request) string { return r.FormValue("readToken") + r.FormValue("writeToken") },
		"query":     func(r *http.Request) string { return r.URL.RawQuery },
		"lower hex": func(r *http.Request) string { return lowerHex.ReplaceAllStringFunc(r.URL.RawQuery, strings.ToLower) },
		"path":      func(r *http.Request) string { return "/" + url.PathEscape(r.FormValue("readToken")) },
		"JSON":      func(r *http.Request) string { text, _ := json.Marshal(r.FormValue("readToken")); return string(text) },
		"long": func(r *http.Request) string {
			return "no\n\x1b[31m\u202e" + r.URL.RawQuery + strings.Repeat("x", 5000)
		},
	} {
		for _, tokens := range []scope.Tokens{testTokens, oddTokens} {
			say = f
			_, err := client.Write(t.Context(), testName, tokens, testValue)
			require.ErrorIs(t, err, comet.ErrInvalid)
			for _, never := range []string{"Plan", "\n", "\x1b", "\u202e"} {
				assert.NotContains(t, err.Error(), never, name)
			}
			assert.Contains(t, err.Error(), "s/hostsall/k")
			assert.Less(t, len(err.Error()), 500)
		}
	}
}

// Tokens as short as heads take them are part of every text, and of what stands in their place.
func TestShortTokensAreLeftOutOnce(t *testing.T) {
	head := deployed(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]any{"message": "the bed"})
	})
	_, err := clientOf(t, head.URL, head).Write(t.Context(), testName, scope.Tokens{Read: scope.MustToken("e"), Write: scope.MustToken("ed")}, testValue)
	one, ok := errors.AsType[*comet.Error](err)
	require.True(t, ok)
	assert.Equal(t, "th[redacted] b[redacted]", one.Message)
}

var lowerHex = regexp.MustCompile(`%[0-9A-F]{2}`)
