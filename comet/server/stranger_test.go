package server_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/internal/turns"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
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
	for _, r := range []struct{ method, path, body string }{
		{"DELETE", "/deleteScope?" + entry(readToken, otherToken), ""},
		{"DELETE", "/deleteScope?" + entry(readToken, readToken), ""},
		{"DELETE", "/deleteScope?" + entry(readToken, writeToken+" "), ""},
		{"DELETE", "/deleteScope?" + entry(readToken, strings.ToLower(writeToken)), ""},
		{"DELETE", "/deleteScope?" + entry(readToken, writeToken[:len(writeToken)-1]), ""},
		{"DELETE", "/deleteScope?" + entry(otherToken, writeToken), ""},
		{"DELETE", "/deleteScope?" + entry(writeToken, readToken), ""},
		{"DELETE", "/deleteScope?" + entry(readToken, otherToken) + "&writeToken=" + writeToken, ""},
		{"DELETE", "/deleteScope?" + entry(readToken, ""), ""},
		{"POST", "/writeScope?" + entry(readToken, otherToken), "mine"},
		{"POST", "/writeScope?" + entry(otherToken, otherToken+"x"), "mine"}, // an entry of its own
		{"DELETE", "/deleteScope?" + entry(otherToken, otherToken+"x"), ""},
		{"POST", "/writeScopes", batch("slice", item("mine", "1"), item("vm", "mine", "writeToken", otherToken))},
		{"POST", "/writeScopes", batch("slice", item("vm", "mine", "writeToken", otherToken, "ifMatch", rev))},
		{"POST", "/deleteScopes", removal("writeToken", otherToken)},
		{"POST", "/deleteScopes", removal("writeToken", otherToken, "ifMatch", rev)},
		{"POST", "/deleteScopes", removal("writeToken", "")},
		{"POST", "/deleteScopes", removal("readToken", otherToken)},
		{"POST", "/deleteScopes", `{"contextId":"slice","entries":[null]}`},
	} {
		h.request(c, r.method, r.path, r.body)
		require.Equal(t, "one", h.value(), "%s %s %s", r.method, r.path, r.body)
	}
	h.request(c, "DELETE", "/deleteScope?"+entry(readToken, writeToken), "").ok(t, deleted)
	h.noSecrets()
}

// What somebody recorded and sends again does no more than the first time: a plain write puts its value again, which takes the tokens;
// one with a condition, and a removal, are refused.
func TestReplays(t *testing.T) {
	h := start(t, server.WithoutCertificateChecks())
	at := entry(readToken, writeToken) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	create := "POST /writeScope?" + at + "If-None-Match: *\r\nContent-Length: 3\r\n\r\none"
	require.Equal(t, []int{200}, h.raw(create))
	h.request(h.client(nobody), "POST", "/writeScope?"+entry(readToken, writeToken), "two")
	require.Equal(t, []int{412}, h.raw(create))

	tag := h.request(h.client(nobody), "GET", "/readScope?"+entry(readToken, ""), "").header.Get("ETag")
	change := "POST /writeScope?" + at + "If-Match: " + tag + "\r\nContent-Length: 5\r\n\r\nthree"
	require.Equal(t, []int{200}, h.raw(change))
	h.put("four")
	require.Equal(t, []int{412}, h.raw(change))
	body := batch("slice", item("vm", "five", "ifMatch", strings.Trim(tag, `"`)), item("new", "1", "ifNoneMatch", "*"))
	require.Equal(t, []int{412}, h.raw(fmt.Sprintf("POST /writeScopes HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)))
	require.Equal(t, "four", h.value())
	require.Empty(t, h.valueOf("new"))

	remove := "DELETE /deleteScope?" + at + "\r\n"
	require.Equal(t, []int{200}, h.raw(remove))
	require.Equal(t, []int{412}, h.raw(change), "it is gone, and stays so")
	require.Equal(t, []int{200}, h.raw(remove))
	require.Empty(t, h.value())
}

// BenchmarkGuess holds a read with a wrong token of an entry that is there against one of an entry that is not. It reports the ratio:
// 1 is what a guesser learns nothing from.
func BenchmarkGuess(b *testing.B) {
	store, err := bolt.Open(filepath.Join(b.TempDir(), "comet.db"))
	require.NoError(b, err)
	defer store.Close()
	there, nowhere := scope.MustName("slice", "hostsall", "vm"), scope.MustName("ecils", "hostsall", "vm")
	_, err = store.Apply(b.Context(), server.Change{Name: there, Tokens: scope.NewTokens(), Value: "one", MayCreate: true})
	require.NoError(b, err)
	guess := scope.MustToken(otherToken)
	took := map[scope.Name][]float64{}
	for b.Loop() {
		for _, name := range []scope.Name{there, nowhere, nowhere, there} {
			began := time.Now()
			for range 1000 {
				if _, found, err := store.Read(b.Context(), name, guess); found || err != nil {
					b.Fatal(found, err)
				}
			}
			took[name] = append(took[name], float64(time.Since(began)))
		}
	}
	b.ReportMetric(turns.Median(took[there])/turns.Median(took[nowhere]), "wrong/absent")
	b.ReportMetric(turns.Median(took[nowhere])/1000, "ns/read")
}
