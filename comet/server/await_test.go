package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
)

// These tests have a clock of their own, which moves on when everybody waits: they say exactly how long a watch takes.

// clocked is a head asked without a network.
type clocked struct {
	*testing.T
	store *lookout
	head  *server.Head
}

func atLeisure(t *testing.T, test func(clocked)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store, err := bolt.Open(filepath.Join(dir, "comet.db"))
		require.NoError(t, err)
		defer store.Close()
		out := newLookout(store)
		test(clocked{t, out, server.New(out, server.WithLogger(slog.New(slog.DiscardHandler)))})
	})
}

// watching is a watch under way.
type watching struct {
	began    time.Time
	done     chan struct{} // closed when it is answered, and what follows is known
	answered time.Time
	answer   answer
	value    watchedValue
}

// watch begins a watch since the revision, and returns when it waits or is answered.
func (c clocked) watch(ctx context.Context, since uint64, more string, tokens ...string) *watching {
	c.Helper()
	path := fmt.Sprintf("/watchScope?contextID=slice&since=%s.%d%s", c.store.Identity(), since, more)
	r := httptest.NewRequestWithContext(ctx, "GET", path, nil)
	for _, token := range tokens {
		r.Header.Add("Comet-Read-Token", token)
	}
	w := &watching{began: time.Now(), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		recorder := httptest.NewRecorder()
		answered(c.head, recorder, r)
		w.answer = answer{code: recorder.Code, header: recorder.Header(), raw: recorder.Body.String()}
		if json.Unmarshal(recorder.Body.Bytes(), &w.answer) == nil && w.answer.code == http.StatusOK {
			json.Unmarshal(w.answer.Value, &w.value)
		}
		w.answered = time.Now()
	}()
	synctest.Wait()
	return w
}

// over reports whether it is answered.
func (w *watching) over() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// took waits for the answer.
func (w *watching) took() time.Duration {
	<-w.done
	return w.answered.Sub(w.began)
}

func (c clocked) apply(changes ...string) {
	c.Helper()
	require.NoError(c, apply(c.store, readToken, changes...))
	synctest.Wait()
}

// pass lets time pass, and everybody who is due act.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestChangesJoinForATenthOfASecond(t *testing.T) {
	atLeisure(t, func(c clocked) {
		c.apply("f/a=1")
		w := c.watch(c.Context(), 1, "", readToken)
		pass(time.Second)
		c.apply("f/b=1")
		pass(99 * time.Millisecond)
		require.False(c, w.over(), "it waits for more")
		pass(time.Millisecond)
		require.Equal(c, 1100*time.Millisecond, w.took())
		require.Equal(c, []string{"0 f/b=1"}, w.value.lines())

		// A burst is one answer.
		w = c.watch(c.Context(), 2, "", readToken)
		for i := range 10 {
			c.apply(fmt.Sprintf("f/%d=1", i))
			pass(20 * time.Millisecond)
		}
		require.False(c, w.over())
		require.LessOrEqual(c, w.took(), 400*time.Millisecond)
		require.Len(c, w.value.lines(), 10)
		require.Equal(c, c.store.Identity()+".12", w.value.Rev)

		// What changed while nobody waited joins as well, and what comes too late is told next time.
		c.apply("f/a=2")
		w = c.watch(c.Context(), 12, "", readToken)
		pass(50 * time.Millisecond)
		c.apply("f/a=3")
		require.Equal(c, 200*time.Millisecond, w.took())
		require.Equal(c, []string{"0 f/a=3"}, w.value.lines())
	})
}

func TestSteadyChangesAreTold(t *testing.T) {
	atLeisure(t, func(c clocked) {
		c.apply("f/a=0")
		w := c.watch(c.Context(), 1, "", readToken)
		for i := 0; !w.over(); i++ {
			c.apply(fmt.Sprintf("f/%d=%d", i%7, i))
			pass(10 * time.Millisecond)
		}
		require.Equal(c, 500*time.Millisecond, w.took())
		require.Len(c, w.value.lines(), 7)
		require.LessOrEqual(c, c.store.looksOf(readToken), 3, "a watch does not look at every change")
	})
}

func TestWatchesWithoutNewsEnd(t *testing.T) {
	atLeisure(t, func(c clocked) {
		require.NoError(c, apply(c.store, otherToken, "other/a=1"))
		for _, w := range []struct {
			more    string
			longest time.Duration
			tokens  []string
		}{
			{"", time.Minute, []string{otherToken}},
			{"&family=f", time.Minute, []string{otherToken}}, // the token shows something, if not there
			{"&wait=30s", 30 * time.Second, []string{readToken, otherToken}},
			{"&wait=120s", 2 * time.Minute, []string{otherToken}},
			{"", 5 * time.Second, []string{readToken}},
			{"&wait=120s", 5 * time.Second, []string{readToken, writeToken}},
			{"&wait=2s", 2 * time.Second, []string{readToken}},
			{"&wait=0s", 0, []string{otherToken}},
			{"&wait=0s", 0, []string{readToken}},
		} {
			held := c.watch(c.Context(), 1, w.more, w.tokens...)
			require.LessOrEqual(c, held.took(), w.longest)
			require.GreaterOrEqual(c, held.took(), w.longest*9/10)
			require.Equal(c, 200, held.answer.code)
			require.False(c, *held.value.Whole)
			require.Empty(c, held.value.lines())
			require.Equal(c, c.store.Identity()+".1", held.value.Rev)
		}
	})
}

// Watchers who were answered together do not all come back together.
func TestWaitsDiffer(t *testing.T) {
	atLeisure(t, func(c clocked) {
		c.apply("f/a=1")
		var all []*watching
		for range 20 {
			all = append(all, c.watch(c.Context(), 1, "", readToken))
		}
		different := map[time.Duration]bool{}
		for _, w := range all {
			different[w.took()] = true
		}
		require.Greater(c, len(different), 10)
	})
}

func TestWithoutWaitingWhatChangedIsToldAtOnce(t *testing.T) {
	atLeisure(t, func(c clocked) {
		c.apply("f/a=1")
		c.apply("f/a=2")
		w := c.watch(c.Context(), 1, "&wait=0s", readToken)
		require.Zero(c, w.took())
		require.Equal(c, []string{"0 f/a=2"}, w.value.lines())
		w = c.watch(c.Context(), 1000, "", readToken)
		require.Zero(c, w.took(), "nor is the whole state held")
		require.True(c, *w.value.Whole)
	})
}

// The end of the wait cuts the joining short.
func TestWaitsEndWhileChangesJoin(t *testing.T) {
	atLeisure(t, func(c clocked) {
		c.apply("f/a=1")
		c.apply("f/a=2")
		w := c.watch(c.Context(), 1, "&wait=50ms", readToken)
		require.LessOrEqual(c, w.took(), 50*time.Millisecond)
		require.Equal(c, []string{"0 f/a=2"}, w.value.lines())
	})
}

func TestAChangeWakesOnlyItsOwnWatchers(t *testing.T) {
	atLeisure(t, func(c clocked) {
		c.apply("f/a=1")
		require.NoError(c, apply(c.store, otherToken, "f/a=1"))
		ctx, leave := context.WithCancel(c.Context())
		mine := c.watch(ctx, 2, "&family=f&family=g", readToken)
		theirs := c.watch(ctx, 2, "", otherToken)
		other := c.watch(ctx, 2, "&family=g", readToken)
		looks := c.store.looksOf(otherToken)
		c.apply("f/a=2")
		pass(time.Second)
		require.True(c, mine.over())
		require.False(c, theirs.over())
		require.False(c, other.over())
		require.Equal(c, looks, c.store.looksOf(otherToken))
		leave()
		<-theirs.done
		<-other.done
	})
}

// A watch under several tokens is complete up to its revision under each.
func TestSeveralTokensAreTakenTogether(t *testing.T) {
	atLeisure(t, func(c clocked) {
		c.apply("f/a=1")
		w := c.watch(c.Context(), 1, "", otherToken, readToken, writeToken)
		require.NoError(c, apply(c.store, otherToken, "f/a=1"))
		pass(50 * time.Millisecond)
		c.apply("f/a=2", "f/b=2")
		require.Equal(c, 200*time.Millisecond, w.took())
		require.Equal(c, []string{"0 f/a=1", "1 f/a=2", "1 f/b=2"}, w.value.lines())
		require.Equal(c, c.store.Identity()+".3", w.value.Rev)
	})
}
