package server

import (
	"fmt"
	"net/http"
	"sync"
)

// places are where watches wait. The zero value is ready.
type places struct {
	mu       sync.Mutex
	taken    int
	byClient map[string]int
	idle     map[*place]struct{} // of watches that show nothing
}

// place is one watch's.
type place struct {
	clients []string
	shed    chan struct{} // closed when somebody else got it
	given   bool          // back
}

// take takes a place that counts for each of the clients, of which none has more than ofClient, and all together no more than ofAll: 0 is
// no limit of all, and no place for a client. The place of a watch that shows nothing is free for others.
func (p *places) take(clients []string, ofClient, ofAll int) (*place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, client := range clients {
		if p.byClient[client] >= ofClient {
			return nil, false
		}
	}
	if ofAll > 0 && p.taken >= ofAll && !p.shed() {
		return nil, false
	}
	if p.byClient == nil {
		p.byClient, p.idle = map[string]int{}, map[*place]struct{}{}
	}
	p.taken++
	for _, client := range clients {
		p.byClient[client]++
	}
	return &place{clients: clients, shed: make(chan struct{})}, true
}

// shed sends one away that shows nothing.
func (p *places) shed() bool {
	for taken := range p.idle {
		close(taken.shed)
		p.free(taken)
		return true
	}
	return false
}

// shows says that the watch of this place shows something, or nothing.
func (p *places) shows(taken *place, something bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case something:
		delete(p.idle, taken)
	case !taken.given:
		p.idle[taken] = struct{}{}
	}
}

func (p *places) leave(taken *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free(taken)
}

func (p *places) free(taken *place) {
	if taken.given {
		return
	}
	taken.given = true
	delete(p.idle, taken)
	p.taken--
	for _, client := range taken.clients {
		if p.byClient[client]--; p.byClient[client] == 0 {
			delete(p.byClient, client)
		}
	}
}

// Watching is how many watches wait at this moment.
func (h *Head) Watching() int {
	h.waiting.mu.Lock()
	defer h.waiting.mu.Unlock()
	return h.waiting.taken
}

// place takes a place for a watch that is going to wait.
func (h *Head) place(w http.ResponseWriter, v *visit) (*place, error) {
	var clients []string
	if h.limits.Watches > 0 {
		clients = h.clients(v)
	}
	taken, ok := h.waiting.take(clients, h.limits.Watches, h.limits.Waiting)
	if !ok {
		return nil, h.noPlace(w, v)
	}
	return taken, nil
}

func (h *Head) noPlace(w http.ResponseWriter, v *visit) *refusal {
	retryAfter(w, emptyWait)
	message := fmt.Sprintf("Too many watches: %d of this client wait already", h.limits.Watches)
	if h.limits.Watches == 0 || h.Watching() >= h.limits.Waiting && h.limits.Waiting > 0 {
		message = fmt.Sprintf("Too many watches: %d wait already", h.limits.Waiting)
	}
	return v.beyond(LimitWatches, http.StatusTooManyRequests, message)
}
