package server

import (
	"net/http"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// visit is one request and what becomes known of it on its way. Nothing of it holds a token or a value.
type visit struct {
	*http.Request
	began time.Time
	call  string // its name, "unknown" where there is no such call

	context  scope.ContextID // what it is about, as far as it could be read
	names    []scope.Name
	outcomes []string // what became of each name in a change that was not refused
	limit    Limit    // which one refused it
}

// Answered is what an observer is told of a request.
type Answered struct {
	Call  string // such as readScope; "unknown" where there is no such call
	Code  int    // HTTP status
	Took  time.Duration
	Limit Limit // which limit refused it; empty where none did
}

// WithObserver calls observe after each request, from the goroutine that answered it.
func WithObserver(observe func(Answered)) Option {
	return func(h *Head) { h.observe = observe }
}

// end tells logs and observer what was answered.
func (h *Head) end(v *visit, a answer) {
	took := time.Since(v.began)
	if h.observe != nil {
		h.observe(Answered{v.call, a.code, took, v.limit})
	}
	h.logAccess(v, a, took)
	h.logAudit(v, a)
}
