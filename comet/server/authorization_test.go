package server_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/scope"
)

// tokenCase is a way to come with tokens. Each of the calls below is made with all of them.
type tokenCase struct{ name, read, write string }

var tokenCases = []tokenCase{
	{"right", readToken, writeToken},
	{"wrong read", otherToken, writeToken},
	{"wrong write", readToken, otherToken},
	{"both wrong", otherToken, otherToken + "x"},
	{"swapped", writeToken, readToken},
	{"both the read token", readToken, readToken},
	{"missing read", "", writeToken},
	{"missing write", readToken, ""},
}

const (
	noRead  = "Required String parameter 'readToken' is not present"
	noWrite = "Required String parameter 'writeToken' is not present"
)

// want is the answer that a call must get and the value that the entry must have afterwards.
type want struct {
	code    int
	message string // of a refusal
	value   string // of a success, as JSON
	after   string
}

func refusal(code int, message, after string) want {
	return want{code: code, message: message, after: after}
}

func good(value, after string) want { return want{code: http.StatusOK, value: value, after: after} }

// The table of authorization: every call with every certificate and all tokens, on every store. "one" is there before, unless the
// call creates.
func TestAuthorization(t *testing.T) { testAuthorization(t, onFile) }

func TestAuthorizationOnEtcd(t *testing.T) {
	cluster, stores := etcdtest.Start(t, 1), 0
	testAuthorization(t, func(t *testing.T) server.Store {
		stores++
		store, err := etcd.Open(t.Context(), cluster.URL(fmt.Sprint("/comet/", stores)))
		require.NoError(t, err)
		return store
	})
}

func testAuthorization(t *testing.T, open func(*testing.T) server.Store) {
	for _, mode := range []struct {
		name string
		opts []server.Option
		may  map[string]bool // who may create and delete
	}{
		{"certificates checked", nil, map[string]bool{trusted: true}},
		{"certificates not checked", []server.Option{server.WithoutCertificateChecks()}, map[string]bool{nobody: true, selfSigned: true, trusted: true}},
	} {
		for _, who := range []string{nobody, selfSigned, foreign, expired, trusted} {
			for _, tokens := range tokenCases {
				t.Run(mode.name+"/"+who+"/"+tokens.name, func(t *testing.T) {
					h := startOn(t, open(t), mode.opts...)
					c := h.client(who)
					if who == foreign || who == expired {
						h.reset()
						h.shutOut(c, tokens)
						return
					}
					may := mode.may[who]
					h.check(c, "POST", "/writeScope", tokens, wantCreate(tokens, may))
					h.reset()
					h.check(c, "POST", "/writeScope", tokens, wantModify(tokens, may))
					h.reset()
					h.check(c, "DELETE", "/deleteScope", tokens, wantDelete(tokens, may))
					h.reset()
					h.check(c, "GET", "/readScope", tokens, wantRead(tokens))
					h.check(c, "GET", "/enumerateScope", tokens, wantEnumerate(tokens))
					h.noSecrets()
				})
			}
		}
	}
}

// shutOut requires that a client gets no answer to any call, for its certificate does not verify.
func (h *head) shutOut(c *http.Client, tokens tokenCase) {
	h.Helper()
	for path, method := range map[string]string{"/writeScope": "POST", "/deleteScope": "DELETE", "/readScope": "GET", "/enumerateScope": "GET", "/getVersion": "GET"} {
		_, err := h.send(c, method, path+"?"+entry(tokens.read, tokens.write), "")
		require.Error(h, err, "the connection ends before there is an answer, with an alert or without")
	}
	require.Equal(h, "one", h.value())
	h.request(h.client(nobody), "GET", "/getVersion", "")
	h.noSecrets()
}

func (h *head) check(c *http.Client, method, path string, tokens tokenCase, w want) {
	h.Helper()
	body := ""
	if method == http.MethodPost {
		body = "two"
	}
	a := h.request(c, method, path+"?"+entry(tokens.read, tokens.write), body)
	if w.message != "" {
		a.refused(h.T, w.code, w.message)
	} else {
		a.ok(h.T, w.value)
	}
	require.NotContains(h, a.raw, "Planted")
	require.Equal(h, w.after, h.value())
}

// reset makes the one entry be there with its first value and tokens, whatever the call before did.
func (h *head) reset() {
	h.Helper()
	name, read := scope.MustName("slice", "hostsall", "vm"), scope.MustToken(readToken)
	for _, write := range []string{writeToken, otherToken} {
		// Refused where the token is not the entry's.
		_, _ = h.store.Apply(h.Context(), server.Change{Name: name, Tokens: scope.Tokens{Read: read, Write: scope.MustToken(write)}, Delete: true})
	}
	for _, other := range []tokenCase{{"", otherToken, writeToken}, {"", otherToken, otherToken + "x"}, {"", writeToken, readToken}} {
		_, _ = h.store.Apply(h.Context(), server.Change{Name: name, Tokens: scope.Tokens{Read: scope.MustToken(other.read), Write: scope.MustToken(other.write)}, Delete: true})
	}
	h.put("one")
}

func wantMissing(tokens tokenCase, after string) (want, bool) {
	switch {
	case tokens.read == "":
		return refusal(400, noRead, after), true
	case tokens.write == "":
		return refusal(400, noWrite, after), true
	}
	return want{}, false
}

func wantCreate(tokens tokenCase, may bool) want {
	if w, missing := wantMissing(tokens, ""); missing {
		return w
	}
	switch {
	case tokens.read == tokens.write:
		return refusal(400, sameTokens, "")
	case !may:
		return refusal(400, unauthorized, "")
	case tokens.read != readToken:
		return good(created, "") // another entry, under the token that was given
	}
	return good(created, "two")
}

func wantModify(tokens tokenCase, may bool) want {
	if w, missing := wantMissing(tokens, "one"); missing {
		return w
	}
	switch {
	case tokens.read == tokens.write:
		return refusal(400, sameTokens, "one")
	case tokens.read == readToken && tokens.write == writeToken:
		return good(written, "two")
	case tokens.read == readToken:
		return refusal(403, badWriter, "one")
	case !may:
		return refusal(400, unauthorized, "one") // an attempt to create, as if nothing were there
	}
	return good(created, "one")
}

func wantDelete(tokens tokenCase, may bool) want {
	if w, missing := wantMissing(tokens, "one"); missing {
		return w
	}
	switch {
	case !may:
		return refusal(400, unauthorized, "one")
	case tokens.read != readToken:
		return good(noEntry, "one")
	case tokens.write != writeToken:
		return good(notYours, "one")
	}
	return good(deleted, "")
}

func wantRead(tokens tokenCase) want {
	switch tokens.read {
	case "":
		return refusal(400, noRead, "one")
	case readToken:
		return good(`{"contextId":"slice","family":"hostsall","key":"vm","value":"one"}`, "one")
	}
	return good(`{}`, "one")
}

func wantEnumerate(tokens tokenCase) want {
	switch tokens.read {
	case "":
		return refusal(400, noRead, "one")
	case readToken:
		return good(`{"contextId":"slice","family":"hostsall","entries":[{"key":"vm","value":"one"}]}`, "one")
	}
	return good(`{"contextId":"slice","family":"hostsall","entries":[]}`, "one")
}

// A certificate that is shown must verify, for any call.
func TestForeignAndExpiredCertificatesFailTheHandshake(t *testing.T) {
	for _, opts := range [][]server.Option{nil, {server.WithoutCertificateChecks()}} {
		h := start(t, opts...)
		for _, who := range []string{foreign, expired} {
			_, err := h.send(h.client(who), "GET", "/getVersion", "")
			require.ErrorContains(t, err, "tls", who)
		}
		require.Equal(t, 200, h.request(h.client(nobody), "GET", "/getVersion", "").code)
		require.Contains(t, h.log.String(), "TLS handshake error")
		require.NotContains(t, h.log.String(), "level=ERROR")
	}
}

func TestWithoutAnyOptionNobodyMayCreate(t *testing.T) {
	h := start(t, server.WithTrust(nil))
	h.request(h.client(trusted), "POST", "/writeScope?"+entry(readToken, writeToken), "x").refused(t, 400, unauthorized)
	require.Empty(t, h.value())
}

// Verdicts hold for a connection, not for a client, and every connection gets its own.
func TestTrustIsJudgedOncePerConnection(t *testing.T) {
	judged := 0
	h := start(t, server.WithTrust(func(c *tls.ConnectionState) bool {
		judged++
		return true
	}))
	c := h.client(trusted)
	for range 5 {
		h.request(c, "DELETE", "/deleteScope?"+entry(readToken, writeToken), "").ok(t, noEntry)
	}
	require.Equal(t, 1, judged)
	h.request(c, "GET", "/readScope?"+entry(readToken, ""), "").ok(t, `{}`)
	c.CloseIdleConnections()
	h.request(c, "DELETE", "/deleteScope?"+entry(readToken, writeToken), "").ok(t, noEntry)
	require.Equal(t, 2, judged)
	h.request(h.client(nobody), "DELETE", "/deleteScope?"+entry(readToken, writeToken), "").refused(t, 400, unauthorized)
	require.Equal(t, 2, judged)
}
