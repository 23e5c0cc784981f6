package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"reflect"
	"sync"
	"time"
)

// How long a watch is held.
const (
	emptyWait     = 5 * time.Second        // at most, where it shows nothing: a made-up token costs nothing to try
	window        = 100 * time.Millisecond // without a change, and what changed is told
	windows       = 5                      // and it is told after so many even if changes go on
	maxRetryAfter = 5                      // seconds
)

// await looks, and as long as nothing changed it waits, until the watch's time is over. The time is up to a tenth shorter than was
// asked for, so that watchers who were answered together do not come back together for ever.
func (h *Head) await(ctx context.Context, ask watchAsk, at *place) (sight, error) {
	w, err := h.waiter(ctx, ask)
	if err != nil {
		return nil, err
	}
	seen, err := h.look(ctx, ask)
	if err != nil {
		return nil, err
	}
	w.shed = at.shed
	wait := ask.wait
	if h.waiting.shows(at, !seen.empty()); seen.empty() {
		wait = min(wait, emptyWait)
	}
	end := time.Now().Add(wait - rand.N(wait/10+1))
	for !seen.news() {
		changed, err := w.wait(time.Until(end))
		if err != nil || !changed {
			return seen, err
		}
		if seen, err = h.look(ctx, ask); err != nil {
			return nil, err
		}
		h.waiting.shows(at, !seen.empty())
	}
	if seen.whole() || !w.settle(end) {
		return seen, nil
	}
	return h.look(ctx, ask)
}

// waiter waits for one watch.
type waiter struct {
	gone      <-chan struct{} // the client has left
	dismissed <-chan struct{} // the head is about to end
	shed      <-chan struct{} // somebody else has its place
	changed   []<-chan struct{}
}

func (h *Head) waiter(ctx context.Context, ask watchAsk) (waiter, error) {
	dismissed, _ := ctx.Value(dismissedKey{}).(chan struct{})
	w := waiter{gone: ctx.Done(), dismissed: dismissed}
	for _, token := range ask.tokens {
		c, err := h.store.Watch(ctx, ask.id, token, ask.families...)
		if err != nil {
			return waiter{}, err
		}
		w.changed = append(w.changed, c)
	}
	return w, nil
}

// wait waits for a change, and reports whether there was one before the time was over.
func (w waiter) wait(d time.Duration) (changed bool, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	cases := []reflect.SelectCase{on(w.gone), on(w.dismissed), on(timer.C), on(w.shed)}
	for _, c := range w.changed {
		cases = append(cases, on(c))
	}
	switch i, _, open := reflect.Select(cases); {
	case i == 0:
		return false, context.Canceled
	case i == 1, i > 3 && !open: // a store that ends sends its watchers away too
		return false, errDismissed
	case i == 2:
		return false, nil
	case i == 3:
		return false, errShed
	}
	return true, nil
}

func on[T any](c <-chan T) reflect.SelectCase {
	return reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)}
}

// settle waits until a window passes without a change, and reports whether there were changes. It does not wake for each of them.
func (w waiter) settle(end time.Time) (changed bool) {
	for range windows {
		timer := time.NewTimer(min(window, time.Until(end)))
		select {
		case <-w.gone:
		case <-w.dismissed: // what is known goes out
		case <-timer.C:
		}
		timer.Stop()
		if !w.take() {
			break
		}
		changed = true
	}
	return changed
}

// take reports whether something changed in the meantime.
func (w waiter) take() (changed bool) {
	for _, c := range w.changed {
		select {
		case <-c:
			changed = true
		default:
		}
	}
	return changed
}

type dismissedKey struct{}

// errShed ends a watch that shows nothing, for one that may show something.
var errShed = errors.New("somebody else has the place")

var errDismissed = &refusal{http.StatusServiceUnavailable, "The head is about to end; watch at another one", "ending"}

// dismissWatchers makes the server answer those who wait when it shuts down.
func dismissWatchers(s *http.Server) {
	dismissed := make(chan struct{})
	s.BaseContext = func(net.Listener) context.Context {
		return context.WithValue(context.Background(), dismissedKey{}, dismissed)
	}
	s.RegisterOnShutdown(sync.OnceFunc(func() { close(dismissed) }))
}

// extendDeadlines gives the connection the time of the wait in addition to the server's own. The read deadline counts too: net/http
// reads on while a call is answered, and takes its end for that of the client.
func extendDeadlines(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	s, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return
	}
	c, now := http.NewResponseController(w), time.Now()
	if s.ReadTimeout > 0 {
		c.SetReadDeadline(now.Add(wait + s.ReadTimeout)) // fails only where w is not of a connection
	}
	if s.WriteTimeout > 0 {
		c.SetWriteDeadline(now.Add(wait + s.WriteTimeout))
	}
}
