// Package wake tells those who wait for changes in a store that some were made. It holds no changes: who is woken looks into the
// store. Every store uses this package; it costs a waiting client no goroutine.
package wake

import (
	"context"
	"math"
	"sync"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/scope"
)

// Topic is what one read token shows in one family of a context.
type Topic struct {
	Context scope.ContextID
	Read    digest.Digest
	Family  scope.Family
}

// Hub knows who waits for what. The zero value is ready, and its methods may be called from many goroutines at once.
type Hub struct {
	mu       sync.Mutex
	watchers map[Topic]map[*watcher]struct{} // under a zero family who waits for all
	closed   bool
}

// watcher is one channel that was given out.
type watcher struct {
	changed chan struct{} // has room for one value
	topics  []Topic
	after   uint64      // the revision whose changes, and older ones, it is not woken for
	gone    bool        // changed is closed
	forget  func() bool // takes back what waits for the context's end
}

// Watch returns a channel that gets a value when one of the families, or any where none is given, is woken: one value for many
// wakes that come faster than they are taken. It is closed when ctx ends or the hub is closed. A closed hub returns
// server.ErrClosed.
func (h *Hub) Watch(ctx context.Context, id scope.ContextID, read digest.Digest, families ...scope.Family) (<-chan struct{}, error) {
	return h.WatchAfter(ctx, 0, id, read, families...)
}

// WatchAfter is Watch for a store that hears of changes late: WakeAt does not wake for those up to this revision, which whoever
// begins to watch now finds in the store.
func (h *Hub) WatchAfter(ctx context.Context, revision uint64, id scope.ContextID, read digest.Digest, families ...scope.Family) (<-chan struct{}, error) {
	if len(families) == 0 {
		families = []scope.Family{{}}
	}
	w := &watcher{changed: make(chan struct{}, 1), topics: make([]Topic, len(families)), after: revision}
	for i, f := range families {
		w.topics[i] = Topic{id, read, f}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, server.ErrClosed
	}
	h.add(w)
	w.forget = context.AfterFunc(ctx, func() { h.remove(w) })
	return w.changed, nil
}

func (h *Hub) add(w *watcher) {
	if h.watchers == nil {
		h.watchers = map[Topic]map[*watcher]struct{}{}
	}
	for _, t := range w.topics {
		if h.watchers[t] == nil {
			h.watchers[t] = map[*watcher]struct{}{}
		}
		h.watchers[t][w] = struct{}{}
	}
}

func (h *Hub) remove(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.gone {
		return
	}
	w.gone = true
	close(w.changed)
	for _, t := range w.topics {
		delete(h.watchers[t], w)
		if len(h.watchers[t]) == 0 {
			delete(h.watchers, t)
		}
	}
}

// Wake wakes whoever waits for one of the topics, whose families are not zero.
func (h *Hub) Wake(topics ...Topic) { h.WakeAt(math.MaxUint64, topics...) }

// WakeAt is Wake for changes that were made in a revision.
func (h *Hub) WakeAt(revision uint64, topics ...Topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range topics {
		wakeAll(revision, h.watchers[t])
		t.Family = scope.Family{}
		wakeAll(revision, h.watchers[t])
	}
}

// WakeGroup wakes whoever waits for something of the topic's token and context, whatever the family.
func (h *Hub) WakeGroup(group Topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for t, watchers := range h.watchers {
		if t.Context == group.Context && t.Read == group.Read {
			wakeAll(math.MaxUint64, watchers)
		}
	}
}

// All wakes everybody: for a store that may have missed changes.
func (h *Hub) All() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, watchers := range h.watchers {
		wakeAll(math.MaxUint64, watchers)
	}
}

func wakeAll(revision uint64, watchers map[*watcher]struct{}) {
	for w := range watchers {
		if w.after >= revision {
			continue
		}
		select {
		case w.changed <- struct{}{}:
		default: // was woken already and has not looked yet
		}
	}
}

// Close closes every channel. What is called after it finds nobody.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, watchers := range h.watchers {
		for w := range watchers {
			if !w.gone {
				w.gone = true
				w.forget()
				close(w.changed)
			}
		}
	}
	h.watchers = nil
}
