package server_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

// limited is a head that is asked without a network, under a clock that moves on when everybody waits.
func limited(t *testing.T, limits server.Limits, test func(ask func(remote, path, token string) *httptest.ResponseRecorder), changes ...string) {
	file := filepath.Join(t.TempDir(), "comet.db")
	synctest.Test(t, func(t *testing.T) {
		store, err := bolt.Open(file)
		require.NoError(t, err)
		defer store.Close()
		require.NoError(t, apply(store, readToken, changes...))
		head := server.New(store, server.WithLimits(limits), server.WithLogger(slog.New(slog.DiscardHandler)))
		test(func(remote, path, token string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
			r.RemoteAddr = remote
			if token != "" {
				r.Header.Set("Comet-Read-Token", token)
			}
			w := httptest.NewRecorder()
			head.ServeHTTP(w, r)
			return w
		})
	})
}

func TestRequestsOfAClientAreLimited(t *testing.T) {
	limited(t, server.Limits{Requests: 5}, func(ask func(remote, path, token string) *httptest.ResponseRecorder) {
		const list, here = "/enumerateScope?contextID=slice", "192.0.2.1:1000"
		spend := func(remote, path, token string, n int) {
			t.Helper()
			for range n {
				require.Equal(t, 200, ask(remote, path, token).Code)
			}
			w := ask(remote, path, token)
			require.Equal(t, 429, w.Code)
			require.Equal(t, "1", w.Header().Get("Retry-After"))
			var a struct{ Status, Message, Value string }
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a))
			require.Equal(t, "Too many requests: one client may make 5 a second", a.Message)
			require.Equal(t, "too many requests", a.Value)
		}
		spend(here, list, readToken, 10)
		spend("192.0.2.2:1000", list, otherToken, 10) // another token is another client, wherever it is
		require.Equal(t, 429, ask("192.0.2.3:1000", list, readToken).Code)
		require.Equal(t, 429, ask(here, list+"&readToken="+readToken, "").Code, "the same token in the query")

		// Without a token the address counts.
		spend(here, "/getVersion", "", 10)
		require.Equal(t, 429, ask("192.0.2.1:2000", "/getVersion", "").Code)
		require.Equal(t, 200, ask("192.0.2.2:2000", "/getVersion", "").Code)
		spend("[2001:db8::1]:1000", "/getVersion", "", 10)
		require.Equal(t, 429, ask("[2001:db8::ffff:2]:1000", "/getVersion", "").Code, "of one network")
		require.Equal(t, 200, ask("[2001:db8:0:1::1]:1000", "/getVersion", "").Code)

		time.Sleep(time.Second)
		spend(here, list, readToken, 5)
		time.Sleep(time.Hour)
		spend(here, list, readToken, 10)
	})
}

// A trusted certificate's subject is the client, whatever tokens it comes with. A subject that anybody may have written is not.
func TestClientsAreToldApartBySubject(t *testing.T) {
	h := start(t, server.WithLimits(server.Limits{Requests: 1}))
	codes := func(who string, tokens ...string) (codes []int) {
		for _, token := range tokens {
			c := h.client(who) // and a connection of its own
			codes = append(codes, h.request(c, "GET", "/enumerateScope?"+query("contextID", "slice", "readToken", token), "").code)
		}
		return codes
	}
	several := []string{"Planted-1", "Planted-2", "Planted-3", "Planted-4", "Planted-5", "Planted-6"}
	require.Contains(t, codes(trusted, several...), 429)
	require.NotContains(t, codes(selfSigned, several...), 429)
	require.NotContains(t, codes(nobody, several...), 429)
	h.noSecrets()
}

func TestWaitingWatchesOfAClientAreLimited(t *testing.T) {
	limited(t, server.Limits{Watches: 2}, func(ask func(remote, path, token string) *httptest.ResponseRecorder) {
		const remote = "192.0.2.1:1000"
		var first struct{ Value struct{ Rev string } }
		require.NoError(t, json.Unmarshal(ask(remote, "/watchScope?contextID=slice", readToken).Body.Bytes(), &first))
		wait := "/watchScope?contextID=slice&since=" + first.Value.Rev
		var waiting sync.WaitGroup
		for range 2 {
			waiting.Go(func() { assert.Equal(t, 200, ask(remote, wait, readToken).Code) })
		}
		synctest.Wait()
		w := ask(remote, wait, readToken)
		require.Equal(t, 429, w.Code)
		require.Equal(t, "5", w.Header().Get("Retry-After"))
		require.Contains(t, w.Body.String(), "Too many watches: 2 of this client wait already")
		require.Equal(t, 200, ask(remote, "/watchScope?contextID=slice", readToken).Code, "this one does not wait")
		require.Equal(t, 200, ask(remote, wait, otherToken).Code, "this one is another client")
		waiting.Wait()
		require.Equal(t, 200, ask(remote, wait, readToken).Code)
	})
}

// Whoever has a token is one client, whatever else he puts beside it.
func TestMadeUpTokensBesideATokenAreNoOtherClient(t *testing.T) {
	limited(t, server.Limits{Watches: 1, Requests: 10}, func(ask func(remote, path, token string) *httptest.ResponseRecorder) {
		const remote = "192.0.2.1:1000"
		var first struct{ Value struct{ Rev string } }
		require.NoError(t, json.Unmarshal(ask(remote, "/watchScope?contextID=slice", readToken).Body.Bytes(), &first))
		wait := "/watchScope?contextID=slice&since=" + first.Value.Rev
		var waiting sync.WaitGroup
		waiting.Go(func() { assert.Equal(t, 200, ask(remote, wait, "made-up-1, "+readToken).Code) })
		synctest.Wait()
		for _, tokens := range []string{readToken, "made-up-2," + readToken, readToken + ",made-up-3", "made-up-4,Planted%2DRead%2DToken%2D1"} {
			require.Equal(t, 429, ask(remote, wait, tokens).Code, tokens)
		}
		require.Equal(t, 200, ask(remote, wait, "made-up-2").Code)
		waiting.Wait()
		time.Sleep(time.Minute)
		now := "/watchScope?contextID=slice&wait=0s"
		for i := range 20 {
			require.Equal(t, 200, ask(remote, now, fmt.Sprintf("made-up-%d,%s", i, readToken)).Code)
		}
		require.Equal(t, 429, ask(remote, now, "made-up-x,"+readToken).Code)
		require.Equal(t, 200, ask(remote, now, "made-up-x").Code)
	})
}

// Where the head has no more places those who see nothing make room; where all see something a new one is refused.
func TestWatchesThatShowNothingAreShedFirst(t *testing.T) {
	limited(t, server.Limits{Waiting: 2}, func(ask func(remote, path, token string) *httptest.ResponseRecorder) {
		const remote = "192.0.2.1:1000"
		watch := func(token string) chan *httptest.ResponseRecorder {
			var first struct{ Value struct{ Rev string } }
			require.NoError(t, json.Unmarshal(ask(remote, "/watchScope?contextID=slice", token).Body.Bytes(), &first))
			done := make(chan *httptest.ResponseRecorder, 1)
			go func() { done <- ask(remote, "/watchScope?contextID=slice&since="+first.Value.Rev, token) }()
			synctest.Wait()
			return done
		}
		nothing := []chan *httptest.ResponseRecorder{watch("made-up-1"), watch("made-up-2")}
		some := []chan *httptest.ResponseRecorder{watch(readToken), watch(readToken)}
		for _, done := range nothing {
			w := <-done
			require.Equal(t, 429, w.Code)
			require.Equal(t, "5", w.Header().Get("Retry-After"))
			require.Contains(t, w.Body.String(), "Too many watches: 2 wait already")
		}
		for _, token := range []string{"made-up-3", readToken} {
			require.Equal(t, 429, (<-watch(token)).Code)
		}
		require.Empty(t, some[0])
		for _, done := range some {
			require.Equal(t, 200, (<-done).Code)
		}
		require.Equal(t, 200, (<-watch(readToken)).Code)
	}, "f/a=1")
}

func TestEntriesOfATokenAreLimited(t *testing.T) {
	h := start(t, server.WithLimits(server.Limits{Entries: 2}))
	c := h.client(trusted)
	write := func(key, read string) string {
		return "/writeScope?" + query("contextID", "slice", "family", "f", "Key", key, "readToken", read, "writeToken", writeToken)
	}
	const message = "The read token shows 2 entries in the context; no more can be created"
	h.request(c, "POST", write("a", readToken), "1").ok(t, created)
	h.request(c, "POST", "/writeScopes", batch("slice", item("b", "1"), item("c", "1"))).refusedEntry(t, 413, 1, "The read token shows 2 entries in the context; no more can be created")
	h.request(c, "POST", write("b", readToken), "1").ok(t, created)
	h.request(c, "POST", write("c", readToken), "1").refused(t, 413, message)
	h.request(c, "POST", write("c", otherToken), "1").ok(t, created)
	h.request(c, "POST", write("a", readToken), "2").ok(t, written)
	h.request(h.client(nobody), "POST", write("c", readToken), "1").refused(t, 400, unauthorized)
	h.noSecrets()
}

func TestValuesMayBeLimitedFurther(t *testing.T) {
	h := start(t, server.WithLimits(server.Limits{Value: 10}))
	c := h.client(trusted)
	path := "/writeScope?" + entry(readToken, writeToken)
	h.request(c, "POST", path, strings.Repeat("x", 11)).refused(t, 413, "The value is longer than 10 bytes")
	h.request(c, "POST", path, strings.Repeat("x", 10)).ok(t, created)
	h.request(c, "POST", "/writeScopes", batch("slice", item("a", "1"), item("b", strings.Repeat("x", 11)))).refusedEntry(t, 413, 1, "Member 'value' is longer than 10 bytes")
	h.request(c, "POST", "/writeScopes", batch("slice", item("a", "1"), item("b", strings.Repeat("x", 10))))

	wide := start(t, server.WithLimits(server.Limits{Value: server.MaxValue + 1}))
	wide.request(wide.client(trusted), "POST", path, strings.Repeat("x", server.MaxValue+1)).refused(t, 413, "The value is longer than 1048576 bytes")
}

func TestHeadersAreLimited(t *testing.T) {
	h := start(t)
	r, err := http.NewRequest("GET", "https://"+h.addr+"/getVersion", nil)
	require.NoError(t, err)
	r.Header.Set("X-Long", strings.Repeat("x", 100<<10))
	response, err := h.client(nobody).Do(r)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, 431, response.StatusCode)
}

func TestOnlySomeMayCreateAndDelete(t *testing.T) {
	for subjects, may := range map[string]bool{"CN=client": true, "CN=somebody else": false, "client": false, "": false} {
		h := start(t, server.WithCreators("CN=another", subjects))
		c := h.client(trusted)
		both := entry(readToken, writeToken)
		if !may {
			h.request(c, "POST", "/writeScope?"+both, "1").refused(t, 400, unauthorized)
			h.request(c, "POST", "/writeScopes", batch("slice", item("a", "1"))).refusedEntry(t, 403, 0, unauthorized)
			h.put("1")
			h.request(c, "DELETE", "/deleteScope?"+both, "").refused(t, 400, unauthorized)
			require.Equal(t, 403, h.request(c, "POST", "/deleteScopes", batch("slice", item("vm", ""))).code)
			h.request(c, "POST", "/writeScope?"+both, "2").ok(t, written)
			continue
		}
		h.request(c, "POST", "/writeScope?"+both, "1").ok(t, created)
		h.request(c, "DELETE", "/deleteScope?"+both, "").ok(t, deleted)
		h.request(h.client(selfSigned), "POST", "/writeScope?"+both, "1").refused(t, 400, unauthorized) // who calls itself the same
	}
}

func TestOwnersAloneDelete(t *testing.T) {
	h := start(t, server.WithOwners())
	ca, err := authority()
	require.NoError(t, err)
	rival, err := ca.Client("rival")
	require.NoError(t, err)
	all, err := identities()
	require.NoError(t, err)
	all["rival"] = &rival
	he, she := h.client("rival"), h.client(trusted)
	both := entry(readToken, writeToken)
	const message = "Cannot delete scope: another client created it and owns it"
	h.request(she, "POST", "/writeScope?"+both, "1").ok(t, created)
	h.request(he, "DELETE", "/deleteScope?"+both, "").refused(t, 403, message)
	h.request(he, "POST", "/deleteScopes", batch("slice", item("vm", ""))).refusedEntry(t, 403, 0, message)
	h.request(he, "DELETE", "/deleteScope?"+entry(readToken, otherToken), "").ok(t, notYours)
	h.request(he, "POST", "/writeScope?"+both, "2").ok(t, written)
	h.request(h.client(nobody), "POST", "/writeScope?"+both, "3").ok(t, written)
	h.request(she, "DELETE", "/deleteScope?"+both, "").ok(t, deleted)
	h.request(he, "POST", "/writeScopes", batch("slice", item("vm", "his")))
	h.request(she, "DELETE", "/deleteScope?"+both, "").refused(t, 403, message)
	h.put("his too")
	h.request(he, "DELETE", "/deleteScope?"+both, "").ok(t, deleted)
	h.put("nobody's")
	h.request(he, "DELETE", "/deleteScope?"+both, "").ok(t, deleted)
	h.noSecrets()
}

// own creates an entry of somebody's behind the head's back.
func (h *head) own(owner, key string) {
	h.Helper()
	_, err := h.store.Apply(h.Context(), server.Change{
		Name:   scope.MustName("slice", "hostsall", key),
		Tokens: scope.Tokens{Read: scope.MustToken(readToken), Write: scope.MustToken(writeToken)},
		Value:  "owned", MayCreate: true, Owner: owner,
	})
	require.NoError(h, err)
}
