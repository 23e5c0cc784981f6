package faulttest_test

import (
	"context"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/internal/history"
)

// attempts are those that a client makes for one call to change something. The client has one call at a time.
type attempts struct {
	mu     sync.Mutex
	sent   int // how often heads may have got the request since the last attempt ended
	change []history.Change
	list   []attempt
}

// attempt is one request to one head.
type attempt struct {
	change          []history.Change
	began, ended    time.Time
	arrived         int  // how often the head may have got it: the transport sends it again where a kept connection was closed
	settled, refuse bool // there was an answer; it is a refusal
}

// observe is the client's observer.
func (a *attempts) observe(one comet.Attempt) {
	if one.Probe {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	arrived := a.sent
	a.sent = 0
	if one.Op == "write" || one.Op == "delete" {
		now := time.Now()
		a.list = append(a.list, attempt{a.change, now.Add(-one.Duration), now, arrived, one.Class == comet.ClassOK, one.Status >= 400})
	}
}

// begin begins a call, under whose context it is seen how often a request leaves.
func (a *attempts) begin(ctx context.Context, change []history.Change) context.Context {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent, a.list, a.change = 0, nil, change
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.sent++
	}})
}

// now says what the next attempts are to change.
func (a *attempts) now(change []history.Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.change = change
}

// end returns the attempts of a call that is over.
func (a *attempts) end() []attempt {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.list
}
