package server_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// counted is a store that knows what it was asked.
type counted struct {
	server.Store
	mu    sync.Mutex
	calls []string
}

func (c *counted) note(call string, id scope.ContextID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call+" "+id.String())
}

// took returns what the store was asked since it was asked this the last time.
func (c *counted) took() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

func (c *counted) Read(ctx context.Context, name scope.Name, read scope.Token) (server.Entry, bool, error) {
	c.note("read", name.Context)
	return c.Store.Read(ctx, name, read)
}

func (c *counted) List(ctx context.Context, id scope.ContextID, read scope.Token, family scope.Family) (server.Listing, error) {
	c.note("list", id)
	return c.Store.List(ctx, id, read, family)
}

func (c *counted) Since(ctx context.Context, id scope.ContextID, read scope.Token, since uint64, families ...scope.Family) (server.Changes, error) {
	c.note("since", id)
	return c.Store.Since(ctx, id, read, since, families...)
}

func (c *counted) Apply(ctx context.Context, changes ...server.Change) ([]server.Result, error) {
	c.note("apply", changes[0].Name.Context)
	return c.Store.Apply(ctx, changes...)
}

// Whoever guesses a read token is told, byte for byte, what he would be told of a slice that is not there, after the same questions to
// the store. How long the store takes is for BenchmarkGuess.
func TestGuessesAreAnsweredAsIfNothingWereThere(t *testing.T) {
	h := start(t)
	h.apply(readToken, "hostsall/vm=1", "hostsall/vn=2", "pubkeysall/vm=3")
	h.apply(readToken, "hostsall/vn")
	store := &counted{Store: h.store}
	h.serve(server.New(store, server.WithLogger(h.logger())))
	c := h.client(nobody)
	for _, call := range []struct{ method, path, body string }{
		{"GET", "/readScope?contextID=%s&family=hostsall&Key=vm&readToken=%s", ""},
		{"GET", "/readScope?contextID=%s&family=hostsall&Key=vn&readToken=%s", ""},
		{"GET", "/enumerateScope?contextID=%s&readToken=%s", ""},
		{"GET", "/enumerateScope?contextID=%s&family=hostsall&readToken=%s", ""},
		{"POST", "/writeScope?contextID=%s&family=hostsall&Key=vm&readToken=%s&writeToken=" + writeToken, "x"},
		{"DELETE", "/deleteScope?contextID=%s&family=hostsall&Key=vm&readToken=%s&writeToken=" + writeToken, ""},
	} {
		var said, asked []string
		for _, slice := range []string{"slice", "ecils"} {
			a := h.request(c, call.method, fmt.Sprintf(call.path, slice, otherToken), call.body)
			a.header.Del("Date")
			said = append(said, strings.ReplaceAll(fmt.Sprint(a.code, a.header, a.raw), slice, "SLICE"))
			asked = append(asked, strings.ReplaceAll(fmt.Sprint(store.took()), slice, "SLICE"))
		}
		require.Equal(t, said[1], said[0], call.path)
		require.Equal(t, asked[1], asked[0], call.path)
	}
	var said []string
	for _, slice := range []string{"slice", "ecils"} {
		for _, path := range []string{"/writeScopes", "/deleteScopes"} {
			said = append(said, h.request(c, "POST", path, batch(slice, item("vm", map[string]string{"/writeScopes": "x"}[path], "readToken", otherToken))).raw)
		}
		said = append(said, strings.ReplaceAll(h.watch(c, "contextID="+slice, otherToken).raw, slice, "SLICE"))
		store.took()
	}
	require.Equal(t, said[3:], said[:3])
	require.Equal(t, "1", h.valueOf("vm"))
	h.noSecrets()
}

// valueOf is the value of an entry among the hosts, "" where it is not there.
func (h *head) valueOf(key string) string {
	h.Helper()
	e, _, err := h.store.Read(h.Context(), scope.MustName("slice", "hostsall", key), scope.MustToken(readToken))
	require.NoError(h, err)
	return e.Value
}

// A trusted client that may read a slice takes, changes and owns nothing in it without the entries' write tokens.
func TestATrustedClientNeedsTheWriteTokens(t *testing.T) {
	h := start(t)
	h.put("one")
	c := h.client(trusted)
	rev := strings.Trim(h.request(c, "GET", "/readScope?"+entry(readToken, ""), "").header.Get("ETag"), `"`)
	removal := func(more ...string) string { return batch("slice", item("vm", "", more...)) }
	const wrong, absent = "incorrect write token", "no such entry"
	for _, r := range []struct {
		method, path, body string
		code               int
		says               string
	}{
		{"DELETE", "/deleteScope?" + entry(readToken, otherToken), "", 200, wrong},
		{"DELETE", "/deleteScope?" + entry(readToken, readToken), "", 200, wrong},
		{"DELETE", "/deleteScope?" + entry(readToken, writeToken+" "), "", 200, wrong},
		{"DELETE", "/deleteScope?" + entry(readToken, strings.ToLower(writeToken)), "", 200, wrong},
		{"DELETE", "/deleteScope?" + entry(readToken, writeToken[:len(writeToken)-1]), "", 200, wrong},
		{"DELETE", "/deleteScope?" + entry(otherToken, writeToken), "", 200, absent},
		{"DELETE", "/deleteScope?" + entry(writeToken, readToken), "", 200, absent},
		{"DELETE", "/deleteScope?" + entry(readToken, otherToken) + "&writeToken=" + writeToken, "", 400, "more than once"},
		{"DELETE", "/deleteScope?" + entry(readToken, ""), "", 400, "not present"},
		{"POST", "/writeScope?" + entry(readToken, otherToken), "mine", 403, wrong},
		{"POST", "/writeScope?" + entry(otherToken, otherToken+"x"), "mine", 200, `"created":true`}, // an entry of its own
		{"DELETE", "/deleteScope?" + entry(otherToken, otherToken+"x"), "", 200, "Scope deleted"},
		{"POST", "/writeScopes", batch("slice", item("mine", "1"), item("vm", "mine", "writeToken", otherToken)), 403, wrong},
		{"POST", "/writeScopes", batch("slice", item("vm", "mine", "writeToken", otherToken, "ifMatch", rev)), 403, wrong},
		{"POST", "/deleteScopes", removal("writeToken", otherToken), 403, wrong},
		{"POST", "/deleteScopes", removal("writeToken", otherToken, "ifMatch", rev), 403, wrong},
		{"POST", "/deleteScopes", removal("writeToken", ""), 400, "is empty"},
		{"POST", "/deleteScopes", removal("readToken", otherToken), 404, absent},
		{"POST", "/deleteScopes", `{"contextId":"slice","entries":[null]}`, 400, "is empty"},
	} {
		a := h.request(c, r.method, r.path, r.body)
		require.Equal(t, r.code, a.code, "%s %s %s: %s", r.method, r.path, r.body, a.raw)
		require.Contains(t, a.raw, r.says, "%s %s %s", r.method, r.path, r.body)
		require.Equal(t, "one", h.value(), "%s %s %s", r.method, r.path, r.body)
	}
	h.request(c, "DELETE", "/deleteScope?"+entry(readToken, writeToken), "").ok(t, deleted)
	h.noSecrets()
}

// What somebody recorded and sends again is refused where it is about a revision, which never comes back. What may only create is
// refused while something is there.
func TestReplaysOfConditionalChanges(t *testing.T) {
	h := start(t, server.WithoutCertificateChecks())
	create := recorded("POST", "/writeScope?"+entry(readToken, writeToken), "If-None-Match: *\r\n", "one")
	require.Equal(t, []int{200}, h.raw(create))
	h.put("two")
	require.Equal(t, []int{412}, h.raw(create))

	tag := h.request(h.client(nobody), "GET", "/readScope?"+entry(readToken, ""), "").header.Get("ETag")
	change := recorded("POST", "/writeScope?"+entry(readToken, writeToken), "If-Match: "+tag+"\r\n", "three")
	require.Equal(t, []int{200}, h.raw(change))
	h.put("four")
	removal := recorded("DELETE", "/deleteScope?"+entry(readToken, writeToken), "If-Match: "+tag+"\r\n", "")
	several := recorded("POST", "/writeScopes", "", batch("slice", item("vm", "five", "ifMatch", strings.Trim(tag, `"`)), item("new", "1", "ifNoneMatch", "*")))
	for _, request := range []string{change, removal, several} {
		require.Equal(t, []int{412}, h.raw(request), request)
		require.Equal(t, "four", h.value())
	}
	require.Empty(t, h.valueOf("new"))

	h.request(h.client(nobody), "DELETE", "/deleteScope?"+entry(readToken, writeToken), "").ok(t, deleted)
	for request, code := range map[string]int{change: 412, removal: 200, several: 412} { // 200 to removing nothing
		require.Equal(t, []int{code}, h.raw(request), request)
		require.Empty(t, h.value(), "it is gone, and stays so")
	}
	require.Equal(t, []int{200}, h.raw(create), "nothing is there, as the condition has it")
	require.Equal(t, "one", h.value())
	require.Equal(t, []int{412}, h.raw(removal), "this is another revision")
	require.Equal(t, "one", h.value())
	h.noSecrets()
}

// What has no condition does the same again, whatever has happened in between: it bears the tokens. Only TLS, and the certificate that
// creating and removing take, are in its way.
func TestReplaysOfPlainChanges(t *testing.T) {
	h := start(t, server.WithoutCertificateChecks())
	change := recorded("POST", "/writeScope?"+entry(readToken, writeToken), "", "one")
	removal := recorded("DELETE", "/deleteScope?"+entry(readToken, writeToken), "", "")
	require.Equal(t, []int{200}, h.raw(change))
	h.put("two")
	require.Equal(t, []int{200}, h.raw(change))
	require.Equal(t, "one", h.value(), "the old value is back")

	require.Equal(t, []int{200}, h.raw(removal))
	require.Equal(t, []int{200}, h.raw(removal))
	require.Empty(t, h.value())
	require.Equal(t, []int{200}, h.raw(change))
	require.Equal(t, "one", h.value(), "the entry is back")

	h.put("two")
	require.Equal(t, []int{200}, h.raw(removal))
	require.Empty(t, h.value(), "what was made again has gone")
	h.noSecrets()
}

// Whoever replays without a certificate puts old values again, and neither creates nor removes.
func TestReplaysWithoutACertificate(t *testing.T) {
	h := start(t)
	change := recorded("POST", "/writeScope?"+entry(readToken, writeToken), "", "one")
	removal := recorded("DELETE", "/deleteScope?"+entry(readToken, writeToken), "", "")
	require.Equal(t, []int{400}, h.raw(change))
	require.Empty(t, h.value())
	h.put("two")
	require.Equal(t, []int{400}, h.raw(removal))
	require.Equal(t, "two", h.value())
	require.Equal(t, []int{200}, h.raw(change))
	require.Equal(t, "one", h.value())
	h.noSecrets()
}

// recorded is a request as it went over the wire.
func recorded(method, path, header, body string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s", method, path, header, len(body), body)
}
