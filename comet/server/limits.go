package server

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Limits are what one client may take; zero fields limit nothing. A client is the subject of a certificate that the head trusts, else
// the read token, each where there are several, else the address (of IPv6 its /64): the guests of a slice, who share a token, are one
// client together. Somebody who makes up another token for each request is a client for each: what strangers may take at all is for a
// packet filter to limit.
type Limits struct {
	Requests int // a second, on average; twice as many at once
	Watches  int // waiting at a time
	Waiting  int // watches of all clients at a time; those that show nothing are sent away first
	Entries  int // that one read token shows in a context; none can be created beyond, what is there can be changed
	Value    int // bytes of a value; above MaxValue it counts as MaxValue. A batch may always have MaxValue in all
}

// Limit names one of the limits, as metrics and logs do.
type Limit string

// The limits. What is beyond LimitRequests and LimitWatches is answered with 429 and Retry-After, beyond the others with 413.
const (
	LimitRequests Limit = "requests"
	LimitWatches  Limit = "watches"
	LimitEntries  Limit = "entries"
	LimitSize     Limit = "size"
)

// WithLimits limits what one client may take. Without it only sizes are limited.
func WithLimits(l Limits) Option {
	return func(h *Head) { h.limits = l }
}

// admit refuses a request beyond the client's rate.
func (h *Head) admit(w http.ResponseWriter, v *visit) error {
	if h.limits.Requests <= 0 {
		return nil
	}
	var wait time.Duration
	for _, client := range h.clients(v) {
		wait = max(wait, h.rates.take(client, float64(h.limits.Requests), v.began))
	}
	if wait == 0 {
		return nil
	}
	retryAfter(w, wait)
	return v.beyond(LimitRequests, http.StatusTooManyRequests, fmt.Sprintf("Too many requests: one client may make %d a second", h.limits.Requests))
}

func retryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
}

// rates knows how fast each client asks. The zero value is ready.
type rates struct {
	mu      sync.Mutex
	clients map[string]rate
	swept   time.Time
}

// rate is how many requests a client has left, and when that was counted.
type rate struct {
	left float64
	at   time.Time
}

// fill is the time in which a client that was refused everything may ask at full length again.
const fill = 2 * time.Second

// take takes one request from the client's. Where it has none left it returns how long to wait for one.
func (r *rates) take(client string, perSecond float64, now time.Time) (wait time.Duration) {
	full := perSecond * fill.Seconds()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(now)
	c, known := r.clients[client]
	if !known {
		c = rate{full, now}
	}
	c.left = min(full, c.left+perSecond*max(0, now.Sub(c.at).Seconds()))
	c.at = now
	if c.left < 1 {
		wait = time.Duration((1 - c.left) / perSecond * float64(time.Second))
	} else {
		c.left--
	}
	r.clients[client] = c
	return wait
}

// sweep forgets those who have all of theirs again.
func (r *rates) sweep(now time.Time) {
	if r.clients != nil && now.Sub(r.swept) < fill {
		return
	}
	if r.clients == nil {
		r.clients = map[string]rate{}
	}
	r.swept = now
	for client, c := range r.clients {
		if now.Sub(c.at) >= fill {
			delete(r.clients, client)
		}
	}
}

// beyond refuses what is beyond a limit.
func (v *visit) beyond(l Limit, code int, message string) *refusal {
	v.limit = l
	return &refusal{code, message, "too many " + string(l)}
}

// full refuses to create an entry too many.
func (h *Head) full(v *visit) *refusal {
	return v.beyond(LimitEntries, http.StatusRequestEntityTooLarge, fmt.Sprintf("The read token shows %d entries in the context; no more can be created", h.limits.Entries))
}

// maxValue is the length of the longest value that this head takes.
func (h *Head) maxValue() int {
	if h.limits.Value > 0 {
		return min(h.limits.Value, MaxValue)
	}
	return MaxValue
}
