package server_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

// watchedValue is what a watch is answered with.
type watchedValue struct {
	ContextID string
	Rev       string
	Whole     *bool
	Families  []struct {
		Family  string
		Token   *int
		Entries []struct{ Key, Value, Modified string }
		Removed []string
	}
}

// lines gives "token family/key=value" and "token family/key removed".
func (v watchedValue) lines() []string {
	all := []string{}
	for _, f := range v.Families {
		for _, e := range f.Entries {
			all = append(all, fmt.Sprintf("%d %s/%s=%s", *f.Token, f.Family, e.Key, e.Value))
		}
		for _, key := range f.Removed {
			all = append(all, fmt.Sprintf("%d %s/%s removed", *f.Token, f.Family, key))
		}
	}
	return all
}

func (h *head) watch(c *http.Client, query string, tokens ...string) answer {
	h.Helper()
	a, err := h.sendWatch(h.Context(), c, query, tokens...)
	require.NoError(h, err)
	return a
}

func (h *head) sendWatch(ctx context.Context, c *http.Client, query string, tokens ...string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", "https://"+h.addr+"//watchScope?"+query, nil)
	if err != nil {
		return answer{}, err
	}
	for _, token := range tokens {
		r.Header.Add("Comet-Read-Token", url.PathEscape(token))
	}
	response, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{code: response.StatusCode, header: response.Header, raw: string(raw)}
	return a, json.Unmarshal(raw, &a)
}

func (a answer) watched(t *testing.T) watchedValue {
	t.Helper()
	require.Equal(t, 200, a.code, a.raw)
	var v watchedValue
	require.NoError(t, json.Unmarshal(a.Value, &v))
	require.Equal(t, "slice", v.ContextID)
	require.NotNil(t, v.Whole, a.raw)
	return v
}

// apply changes entries of the slice behind the head's back: "family/key=value", or "family/key" to remove it.
func (h *head) apply(read string, changes ...string) {
	h.Helper()
	require.NoError(h, apply(h.store, read, changes...))
}

func apply(store server.Store, read string, changes ...string) error {
	var all []server.Change
	for _, c := range changes {
		name, value, write := strings.Cut(c, "=")
		family, key, _ := strings.Cut(name, "/")
		all = append(all, server.Change{
			Name:   scope.MustName("slice", family, key),
			Tokens: scope.Tokens{Read: scope.MustToken(read), Write: scope.MustToken(writeToken)},
			Value:  value, Delete: !write, MayCreate: true,
		})
	}
	_, err := store.Apply(context.Background(), all...)
	return err
}

func TestWatchBeginsWithTheWholeState(t *testing.T) {
	h := start(t)
	c := h.client(nobody)
	v := h.watch(c, "contextID=slice", readToken).watched(t)
	require.True(t, *v.Whole)
	require.Empty(t, v.lines())
	require.Equal(t, h.store.Identity()+".0", v.Rev)

	h.apply(readToken, "hostsall/b=2", "hostsall/a=1", "pubkeysall/a=3", "hostsall/gone=x")
	h.apply(readToken, "hostsall/gone")
	h.apply(otherToken, "hostsall/theirs=x")
	all := []string{"0 hostsall/a=1", "0 hostsall/b=2", "0 pubkeysall/a=3"}
	for what, since := range map[string]string{
		"none":                "",
		"the future":          "&since=" + h.store.Identity() + ".1000",
		"beyond all numbers":  "&since=" + h.store.Identity() + ".18446744073709551616",
		"another epoch":       "&since=OTHER.1",
		"another, and longer": "&since=" + h.store.Identity() + "A.1",
		"nothing":             "&since=",
		"nonsense":            "&since=nonsense",
	} {
		t.Run(what, func(t *testing.T) {
			v := h.watch(c, "contextID=slice"+since, readToken).watched(t)
			require.True(t, *v.Whole)
			require.Equal(t, all, v.lines())
			require.Equal(t, h.store.Identity()+".3", v.Rev)
		})
	}
	v = h.watch(c, "contextID=slice&family=pubkeysall&family=none&family=pubkeysall", readToken).watched(t)
	require.Equal(t, all[2:], v.lines())
	h.noSecrets()
}

func TestWatchTellsWhatChangedUnderWhichToken(t *testing.T) {
	h := start(t)
	c := h.client(nobody)
	h.apply(readToken, "hostsall/a=1", "hostsall/b=1", "scripts/s=1")
	h.apply(otherToken, "hostsall/a=theirs", "users/u=1")
	tokens := []string{otherToken, readToken}
	v := h.watch(c, "contextID=slice", tokens...).watched(t)
	require.True(t, *v.Whole)
	require.Equal(t, []string{"0 hostsall/a=theirs", "0 users/u=1", "1 hostsall/a=1", "1 hostsall/b=1", "1 scripts/s=1"}, v.lines())

	h.apply(readToken, "hostsall/a=2", "hostsall/c=1", "scripts/s=2")
	h.apply(readToken, "hostsall/b")
	h.apply(otherToken, "users/u")
	a := h.watch(c, "contextID=slice&family=users&family=hostsall&since="+v.Rev, tokens...)
	v = a.watched(t)
	require.False(t, *v.Whole)
	require.Equal(t, []string{"0 users/u removed", "1 hostsall/a=2", "1 hostsall/c=1", "1 hostsall/b removed"}, v.lines())
	for _, token := range tokens {
		require.NotContains(t, a.raw, token)
	}
	// One header with commas, as proxies join them, is the same; and the rev is also a tag, in quotes or not.
	r, err := http.NewRequest("GET", "https://"+h.addr+"/watchScope?contextID=slice&wait=0s&since="+url.QueryEscape(`"`+h.store.Identity()+`.4"`), nil)
	require.NoError(t, err)
	r.Header.Set("Comet-Read-Token", otherToken+" , "+readToken)
	response, err := c.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(raw), `"families":[{"family":"users","token":0,"removed":["u"]}]`)

	v = h.watch(c, "contextID=slice&wait=0s&since="+v.Rev, tokens...).watched(t)
	require.Empty(t, v.lines())
	h.noSecrets()
}

// The format, to the letter.
func TestWatchAnswer(t *testing.T) {
	h := start(t)
	h.apply(readToken, "hostsall/a=<1>", "hostsall/b=2", "pubkeysall/c=3")
	e, _, err := h.store.Read(t.Context(), scope.MustName("slice", "hostsall", "a"), scope.MustToken(readToken))
	require.NoError(t, err)
	modified := e.Modified.Format("2006-01-02T15:04:05Z")
	a := h.watch(h.client(nobody), "contextID=slice", readToken)
	require.Equal(t, `{"status":"OK","message":"success","value":{"contextId":"slice","rev":"`+h.store.Identity()+`.1","whole":true,"families":[`+
		`{"family":"hostsall","token":0,"entries":[{"key":"a","value":"<1>","modified":"`+modified+`"},{"key":"b","value":"2"}]},`+
		`{"family":"pubkeysall","token":0,"entries":[{"key":"c","value":"3","modified":"`+modified+`"}]}]},"version":"1.0.5"}`+"\n", a.raw)
}

func TestWatchParameters(t *testing.T) {
	h := start(t)
	c := h.client(nobody)
	h.apply(readToken, "hostsall/a=1")
	const badWait = "Parameter 'wait' is not a duration such as 30s, from 0s to 120s"
	for query, message := range map[string]string{
		"":                                    "Required String parameter 'contextID' is not present",
		"contextID=":                          "Parameter 'contextID' is empty",
		"contextID=slice&family=":             "Parameter 'family' is empty",
		"contextID=slice&family=a&family=%0a": "Parameter 'family' has a control character (U+000A)",
		"contextID=slice" + strings.Repeat("&family=x", 65): "Parameter 'family' is there more than 64 times; without it all families are watched",
		"contextID=slice&since=a&since=b":                   "Parameter 'since' is there more than once, with different values",
		"contextID=slice&readToken=Planted":                 "Tokens of this call stand in the header 'Comet-Read-Token', not in the query",
		"contextID=slice&writeToken=":                       "Tokens of this call stand in the header 'Comet-Read-Token', not in the query",
		"contextID=%zz":                                     "The query is not URL-encoded parameters joined by &",
		"contextID=slice&wait=":                             badWait,
		"contextID=slice&wait=60":                           badWait,
		"contextID=slice&wait=-1s":                          badWait,
		"contextID=slice&wait=121s":                         badWait,
		"contextID=slice&wait=soon":                         badWait,
		"contextID=slice&wait=1s&wait=2s":                   "Parameter 'wait' is there more than once, with different values",
	} {
		h.watch(c, query, readToken).refused(t, 400, message)
	}
	h.watch(c, "contextID=slice").refused(t, 400, "Required header 'Comet-Read-Token' is not present")
	for _, token := range []string{"", "a\nb", strings.Repeat("x", 1025)} {
		h.watch(c, "contextID=slice", readToken, token).refused(t, 400, "Header 'Comet-Read-Token' has what cannot be a token")
	}
	many := strings.Split(strings.Repeat(readToken+" ", 17), " ")[:17]
	h.watch(c, "contextID=slice", many...).refused(t, 400, "Header 'Comet-Read-Token' has more than 16 tokens")
	require.Len(t, h.watch(c, "contextID=slice", many[1:]...).watched(t).lines(), 16)
	require.Equal(t, 200, h.watch(c, "contextID=slice"+strings.Repeat("&family=x", 64)+"&wait=120s", readToken).code)

	r, err := http.NewRequest("GET", "https://"+h.addr+"/watchScope?contextID=slice", nil)
	require.NoError(t, err)
	r.Header.Set("Comet-Read-Token", "Planted%2")
	response, err := c.Do(r)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, 400, response.StatusCode)
	h.noSecrets()
}

// lookout is a store that says when somebody waits, and keeps what it gave them.
type lookout struct {
	server.Store
	looked chan struct{} // gets a value when a watch has looked and found nothing

	mu    sync.Mutex
	given []<-chan struct{}
	looks map[string]int // by read token
}

func newLookout(store server.Store) *lookout {
	return &lookout{Store: store, looked: make(chan struct{}, 10000), looks: map[string]int{}}
}

func (l *lookout) Watch(ctx context.Context, id scope.ContextID, read scope.Token, families ...scope.Family) (<-chan struct{}, error) {
	c, err := l.Store.Watch(ctx, id, read, families...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given = append(l.given, c)
	return c, err
}

func (l *lookout) Since(ctx context.Context, id scope.ContextID, read scope.Token, since uint64, families ...scope.Family) (server.Changes, error) {
	c, err := l.Store.Since(ctx, id, read, since, families...)
	l.mu.Lock()
	l.looks[read.Reveal()]++
	l.mu.Unlock()
	if len(c.Entries)+len(c.Removed) == 0 {
		l.looked <- struct{}{}
	}
	return c, err
}

func (l *lookout) looksOf(read string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.looks[read]
}

func (l *lookout) watchers() []<-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.given
}

func TestWatchWaitsForAChange(t *testing.T) {
	h := start(t)
	out := h.serveOn(newLookout(h.store))
	h.apply(readToken, "hostsall/a=1")
	rev := h.watch(h.client(nobody), "contextID=slice", readToken).watched(t).Rev
	for i, change := range []string{"hostsall/b=2", "hostsall/a", "hostsall/a=3"} {
		answers := make(chan answer, 2)
		for range 2 {
			c := h.client(nobody)
			go func() {
				a, err := h.sendWatch(t.Context(), c, "contextID=slice&family=hostsall&wait=120s&since="+rev, otherToken, readToken)
				assert.NoError(t, err)
				answers <- a
			}()
			<-out.looked // under the one token
			<-out.looked // and under the other
		}
		h.apply(readToken, change)
		for range 2 {
			v := (<-answers).watched(t)
			require.False(t, *v.Whole)
			require.Equal(t, []string{map[bool]string{true: "1 " + change, false: "1 " + change + " removed"}[strings.Contains(change, "=")]}, v.lines(), i)
			rev = v.Rev
		}
		for len(out.looked) > 0 { // looks after the change, under the token that shows nothing
			<-out.looked
		}
	}
	for _, c := range out.watchers() {
		for range c { // until it is closed: who was answered leaves nothing behind
		}
	}
}

// serveOn makes another head over this store answer at h from now on.
func (h *head) serveOn(store *lookout) *lookout {
	h.Helper()
	h.serve(server.New(store, server.WithLogger(h.logger())))
	return store
}

// serve serves with another handler at h from now on, and gives a way to end it.
func (h *head) serve(handler http.Handler) (stop func()) {
	h.Helper()
	h.addr, stop = serveAt(h, h.config, handler)
	return stop
}

// serveAt serves at an address of its own until the test is over, or stop is called.
func serveAt(t testing.TB, config *tls.Config, handler http.Handler) (address string, stop func()) {
	t.Helper()
	l := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, handler, config, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func TestClientsThatLeaveFreeTheirWatch(t *testing.T) {
	h := start(t)
	out := h.serveOn(newLookout(h.store))
	c := h.client(nobody)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := h.sendWatch(ctx, c, "contextID=slice&wait=120s&since="+h.store.Identity()+".0", readToken, otherToken)
		left <- err
	}()
	<-out.looked
	<-out.looked
	leave()
	require.ErrorIs(t, <-left, context.Canceled)
	for _, c := range out.watchers() {
		for range c { // until it is closed
		}
	}
}

func TestHeadsThatEndSendTheirWatchersAway(t *testing.T) {
	h := start(t)
	h.apply(readToken, "hostsall/a=1")
	out := newLookout(h.store)
	stop := h.serve(server.New(out, server.WithLogger(h.logger())))
	answers := make(chan answer)
	for range 3 {
		c := h.client(nobody)
		go func() {
			a, err := h.sendWatch(context.WithoutCancel(t.Context()), c, "contextID=slice&wait=120s&since="+h.store.Identity()+".1", readToken)
			assert.NoError(t, err)
			answers <- a
		}()
		<-out.looked
	}
	go stop()
	for range 3 {
		a := <-answers
		a.refused(t, 503, "The head is about to end; watch at another one")
		after, err := strconv.Atoi(a.header.Get("Retry-After"))
		require.NoError(t, err)
		require.Positive(t, after)
	}
	stop()
}

func TestStoresThatEndSendTheirWatchersAway(t *testing.T) {
	h := start(t)
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	out := h.serveOn(newLookout(store))
	answered := make(chan answer)
	c := h.client(nobody)
	go func() {
		a, err := h.sendWatch(context.WithoutCancel(t.Context()), c, "contextID=slice&since="+store.Identity()+".0", readToken)
		assert.NoError(t, err)
		answered <- a
	}()
	<-out.looked
	require.NoError(t, store.Close())
	require.Equal(t, 503, (<-answered).code)
	a := h.watch(c, "contextID=slice", readToken)
	require.Equal(t, 503, a.code)
	require.NotEmpty(t, a.header.Get("Retry-After"))
}

// A watch outlives what the server gives other requests, whether to be read or to be answered.
func TestWatchOutlivesTheServersTimes(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	require.NoError(t, apply(store, readToken, "hostsall/a=1"))
	for what, set := range map[string]func(*http.Server){
		"read":    func(s *http.Server) { s.ReadTimeout = 200 * time.Millisecond },
		"write":   func(s *http.Server) { s.WriteTimeout = 200 * time.Millisecond },
		"neither": func(*http.Server) {},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewUnstartedServer(server.New(store))
			set(s.Config)
			s.Start()
			defer s.Close()
			for range 2 { // on one connection
				r, err := http.NewRequest("GET", s.URL+"/watchScope?contextID=slice&wait=400ms&since="+store.Identity()+".1", nil)
				require.NoError(t, err)
				r.Header.Set("Comet-Read-Token", readToken)
				response, err := s.Client().Do(r)
				require.NoError(t, err)
				body, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				response.Body.Close()
				require.Equal(t, 200, response.StatusCode)
				require.Contains(t, string(body), `"whole":false,"families":[]`)
			}
		})
	}
}
