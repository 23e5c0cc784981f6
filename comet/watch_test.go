package comet_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// watching is a Watch under way, and what it has told so far.
type watching struct {
	t   *testing.T
	ctx context.Context
	end func() error // returns what Watch returned

	mu     sync.Mutex
	told   chan struct{} // closed at the next change
	wholes int
	there  map[string]string // "token family/key" to value
}

// soon is how often heads are asked that do not wait; the tests do not wait for the usual time.
const soon = 20 * time.Millisecond

func watch(t *testing.T, c *comet.Client, w comet.Watch) *watching {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	s := &watching{t: t, ctx: ctx, told: make(chan struct{}), there: map[string]string{}}
	if w.Context.IsZero() {
		w.Context = testName.Context
	}
	if w.Families == nil {
		w.Families = []scope.Family{testName.Family}
	}
	if w.Read == nil {
		w.Read = []scope.Token{testTokens.Read}
	}
	w.Every = soon
	result := make(chan error, 1)
	go func() { result <- c.Watch(ctx, w, s.seen) }()
	s.end = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() { assert.NoError(t, s.end()) })
	return s
}

func (s *watching) seen(c comet.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Whole {
		s.wholes++
		clear(s.there)
	}
	key := func(w comet.Watched) string {
		return string(rune('0'+w.Token)) + " " + w.Name.Family.String() + "/" + w.Name.Key.String()
	}
	for _, e := range c.Entries {
		s.there[key(e)] = string(e.Value)
	}
	for _, e := range c.Removed {
		delete(s.there, key(e))
	}
	close(s.told)
	s.told = make(chan struct{})
	return nil
}

// until waits until what was told is exactly this.
func (s *watching) until(want map[string]string) {
	s.t.Helper()
	for {
		s.mu.Lock()
		equal, next := assert.ObjectsAreEqual(want, s.there) && s.wholes > 0, s.told
		s.mu.Unlock()
		if equal {
			return
		}
		select {
		case <-next:
		case <-s.ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			require.Equal(s.t, want, s.there)
			require.FailNow(s.t, "nothing was told")
		}
	}
}

func write(t *testing.T, c *comet.Client, name scope.Name, value string) {
	t.Helper()
	_, err := c.Write(t.Context(), name, testTokens, []byte(value))
	require.NoError(t, err)
}

func TestWatchTellsWhatChanges(t *testing.T) {
	bothWays(t, func(t *testing.T, extensions bool, options ...server.Option) {
		heads := comettest.Start(t, 1, options...)
		client := heads.Client()
		a, b := scope.MustName("s", "hostsall", "a"), scope.MustName("s", "pubkeysall", "b")
		write(t, client, a, "1")
		s := watch(t, client, comet.Watch{Families: []scope.Family{a.Family, b.Family}})
		s.until(map[string]string{"0 hostsall/a": "1"})
		write(t, client, b, "2")
		s.until(map[string]string{"0 hostsall/a": "1", "0 pubkeysall/b": "2"})
		write(t, client, a, "3")
		write(t, client, scope.MustName("s", "hostsother", "a"), "not watched")
		s.until(map[string]string{"0 hostsall/a": "3", "0 pubkeysall/b": "2"})
		require.NoError(t, client.Delete(t.Context(), a, testTokens))
		s.until(map[string]string{"0 pubkeysall/b": "2"})
		require.NoError(t, s.end())
		assert.Equal(t, 1, s.wholes)
		assert.Equal(t, extensions, heads.Calls(0, "enumerateScope") == 0)
		assert.Equal(t, extensions, heads.Calls(0, "watchScope") > 0)
	})
}

func TestWatchWithSeveralTokens(t *testing.T) {
	bothWays(t, func(t *testing.T, _ bool, options ...server.Option) {
		client := comettest.Start(t, 1, options...).Client()
		other := scope.NewTokens()
		s := watch(t, client, comet.Watch{Read: []scope.Token{testTokens.Read, other.Read}})
		s.until(map[string]string{})
		write(t, client, testName, "1")
		_, err := client.Write(t.Context(), testName, other, []byte("2"))
		require.NoError(t, err)
		s.until(map[string]string{"0 hostsall/k": "1", "1 hostsall/k": "2"})
	})
}

// More families than heads take in one request are no matter to the caller.
func TestWatchOfManyFamilies(t *testing.T) {
	client := comettest.Start(t, 1).Client()
	var families []scope.Family
	for i := range 100 {
		families = append(families, scope.MustFamily("hosts"+string(rune('A'+i%26))+string(rune('a'+i/26))))
	}
	s := watch(t, client, comet.Watch{Families: families})
	s.until(map[string]string{})
	write(t, client, testName, "not watched")
	write(t, client, scope.Name{Context: testName.Context, Family: families[99], Key: testName.Key}, "1")
	s.until(map[string]string{"0 " + families[99].String() + "/k": "1"})
}

func TestWatchGoesOnAtAnotherHead(t *testing.T) {
	bothWays(t, func(t *testing.T, extensions bool, options ...server.Option) {
		heads := comettest.Start(t, 2, options...)
		client, writer := heads.Client(), heads.Client()
		s := watch(t, client, comet.Watch{})
		s.until(map[string]string{})
		for _, i := range []int{0, 1} {
			heads.Stop(i)
			write(t, writer, testName, heads.URL(i))
			s.until(map[string]string{"0 hostsall/k": heads.URL(i)})
			heads.Restart(i)
		}
		require.NoError(t, s.end())
		assert.Equal(t, 1, s.wholes, "both heads know from where on to tell")
	})
}

func TestWatchSaysThatNobodyAnswers(t *testing.T) {
	bothWays(t, func(t *testing.T, _ bool, options ...server.Option) {
		heads := comettest.Start(t, 1, options...)
		failed := make(chan error, 1000)
		s := watch(t, heads.Client(), comet.Watch{Failed: func(err error) { failed <- err }})
		s.until(map[string]string{})
		heads.Stop(0)
		err := <-failed
		require.ErrorIs(t, err, comet.ErrUnavailable)
		assert.Contains(t, err.Error(), heads.URL(0))
		heads.Restart(0)
		write(t, heads.Client(), testName, "1")
		s.until(map[string]string{"0 hostsall/k": "1"})
	})
}

// Who is told why nobody answers may keep that: it does not change with the next failure.
func TestWhatAWatchSaysStays(t *testing.T) {
	bothWays(t, func(t *testing.T, _ bool, options ...server.Option) {
		heads := comettest.Start(t, 1, options...)
		failed := make(chan error, 1000)
		s := watch(t, heads.Client(), comet.Watch{Failed: func(err error) { failed <- err }})
		s.until(map[string]string{})
		heads.Set(0, comettest.Status(503))
		heads.Stop(0) // or it would wait on a connection of before
		heads.Restart(0)
		first := <-failed
		text := first.Error()
		heads.Set(0, comettest.Status(502))
		require.Eventually(t, func() bool { return (<-failed).Error() != text }, time.Minute, time.Millisecond)
		assert.EqualError(t, first, text)
		heads.Set(0)
	})
}

// What one answer says, a proxy's most likely, does not end a watch.
func TestWatchSurvivesARefusal(t *testing.T) {
	bothWays(t, func(t *testing.T, _ bool, options ...server.Option) {
		heads := comettest.Start(t, 1, options...)
		refusal := comettest.Answer(400, "application/json", `{"status":"status","message":"no","version":"1"}`)
		heads.Set(0, refusal.On("watchScope", "enumerateScope").Times(1))
		failed := make(chan error, 100)
		s := watch(t, heads.Client(), comet.Watch{Failed: func(err error) { failed <- err }})
		s.until(map[string]string{})
		assert.ErrorContains(t, <-failed, heads.URL(0)+": no (HTTP 400)")
	})
}

// When the only head was away for a moment, its many watchers do not all ask for everything again.
func TestWatchGoesOnWhereItWas(t *testing.T) {
	heads := comettest.Start(t, 1)
	failed := make(chan error, 100)
	s := watch(t, heads.Client(), comet.Watch{Failed: func(err error) { failed <- err }})
	s.until(map[string]string{})
	heads.Stop(0)
	<-failed
	<-failed
	heads.Restart(0)
	write(t, heads.Client(), testName, "1")
	s.until(map[string]string{"0 hostsall/k": "1"})
	require.NoError(t, s.end())
	assert.Equal(t, 1, s.wholes)
	assert.Zero(t, heads.Calls(0, "enumerateScope"))
}

// A head, or a cache before it, that answers at once without saying anything is not asked without end.
func TestWatchDoesNotSpin(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing new":    `{"contextId":"s","rev":"e.1","families":[]}`,
		"all over again": `{"contextId":"s","rev":"e.1","whole":true,"families":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			heads := comettest.Start(t, 1)
			heads.Set(0, comettest.Answer(200, "application/json", `{"status":"OK","message":"success","value":`+answer+`,"version":"1"}`).On("watchScope"))
			ctx, cancel := context.WithTimeout(t.Context(), 3*shortly)
			defer cancel()
			client := heads.Client()
			w := comet.Watch{Context: testName.Context, Families: []scope.Family{testName.Family}, Read: []scope.Token{testTokens.Read}}
			require.NoError(t, client.Watch(ctx, w, func(comet.Change) error { return nil }))
			assert.Less(t, heads.Calls(0, "watchScope"), 20)

			// Nor does it hurry towards the end of its time.
			heads.Set(0, comettest.Busy(60).On("watchScope"))
			before := heads.Calls(0, "watchScope")
			ctx, cancel = context.WithTimeout(t.Context(), 3*shortly)
			defer cancel()
			require.NoError(t, client.Watch(ctx, w, func(comet.Change) error { return nil }))
			assert.Equal(t, before+1, heads.Calls(0, "watchScope"), "it asked to be left alone for a minute")
		})
	}
}

func TestWatchEnds(t *testing.T) {
	bothWays(t, func(t *testing.T, _ bool, options ...server.Option) {
		heads := comettest.Start(t, 1, options...)
		client := heads.Client()
		enough := errors.New("enough")
		w := comet.Watch{Context: testName.Context, Families: []scope.Family{testName.Family}, Read: []scope.Token{testTokens.Read}, Every: soon}
		require.ErrorIs(t, client.Watch(t.Context(), w, func(comet.Change) error { return enough }), enough)
		without := w
		without.Read = nil
		require.ErrorIs(t, client.Watch(t.Context(), without, nil), comet.ErrInvalid)
		tooMany := w
		tooMany.Read = make([]scope.Token, 17)
		require.ErrorIs(t, client.Watch(t.Context(), tooMany, nil), comet.ErrInvalid)

		ctx, cancel := context.WithTimeout(t.Context(), shortly) // less than a head would hold the request
		defer cancel()
		require.NoError(t, client.Watch(ctx, w, func(comet.Change) error { return nil }))

		require.NoError(t, client.Close())
		require.ErrorIs(t, client.Watch(t.Context(), w, nil), comet.ErrClosed)
	})
}

// An answer that is the one before is heard, and not read again; one that is another is, also when it is the one of some time ago.
func TestAskingSeesEveryChange(t *testing.T) {
	heads := comettest.Start(t, 1, server.WithoutExtensions())
	c := heads.Client()
	other := scope.Tokens{Read: scope.NewToken(), Write: scope.NewToken()}
	put := func(tokens scope.Tokens, value string) {
		_, err := c.Write(t.Context(), testName, tokens, []byte(value))
		require.NoError(t, err)
	}
	put(testTokens, "1")
	put(other, "x")
	var heard atomic.Int32
	w := watch(t, c, comet.Watch{Read: []scope.Token{testTokens.Read, other.Read}, Heard: func() { heard.Add(1) }})
	at := testName.Family.String() + "/" + testName.Key.String()
	w.until(map[string]string{"0 " + at: "1", "1 " + at: "x"})
	for i, value := range []string{"2", "1", "2"} {
		before := heads.Calls(0, "enumerateScope")
		heads.Await(t.Context(), 0, "enumerateScope", before+4) // answers in which nothing is new
		if i == 1 {                                             // the answer of the first token is new, that of the second fails
			heads.Set(0, comettest.Status(500).Times(3).On("enumerateScope"))
		}
		put(testTokens, value)
		w.until(map[string]string{"0 " + at: value, "1 " + at: "x"})
	}
	assert.Greater(t, heard.Load(), int32(6))
	require.NoError(t, c.Delete(t.Context(), testName, testTokens))
	w.until(map[string]string{"1 " + at: "x"})
	assert.Equal(t, 1, w.wholes)
}
