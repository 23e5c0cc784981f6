package faulttest_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/internal/history"
	"github.com/renci-nrig/comet-go/scope"
)

// watcher follows a group. What it knows after each change is a reading of the whole group, of a moment after the change before.
type watcher struct {
	id    int
	board *board
	group *group

	mu     sync.Mutex
	there  map[scope.Name]string
	before time.Time
	news   chan struct{} // has room for one value
}

func newWatcher(id int, b *board, g *group) *watcher {
	return &watcher{id: id, board: b, group: g, before: time.Now(), there: map[scope.Name]string{}, news: make(chan struct{}, 1)}
}

func (w *watcher) follow(ctx context.Context, client *comet.Client) error {
	return client.Watch(ctx, comet.Watch{
		Context: w.group.names[0].Context, Families: []scope.Family{w.group.names[0].Family}, Read: []scope.Token{w.group.tokens.Read},
	}, w.see)
}

func (w *watcher) see(c comet.Change) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Whole {
		clear(w.there)
	}
	for _, e := range c.Entries {
		w.there[e.Name] = decode(e.Value)
	}
	for _, e := range c.Removed {
		delete(w.there, e.Name)
	}
	in, out := w.group.snapshot(w.there)
	now := time.Now()
	w.board.record.Add(w.id, history.Input{Group: w.group.index, Keys: in.Keys}, out, w.before, now)
	w.before = now
	select {
	case w.news <- struct{}{}:
	default:
	}
	return nil
}

func (w *watcher) knows() map[scope.Name]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.there)
}

// requireLast waits until the watcher knows what is there. Until all that was under way has come to its end, that may still change.
func (w *watcher) requireLast(t *testing.T, client *comet.Client) {
	t.Helper()
	var there map[scope.Name]string
	require.Eventually(t, func() bool {
		entries, err := client.List(t.Context(), w.group.names[0].Context, w.group.names[0].Family, w.group.tokens.Read)
		if !assert.NoError(t, err) {
			return false
		}
		there = map[scope.Name]string{}
		for _, e := range entries {
			there[e.Name] = decode(e.Value)
		}
		return maps.Equal(there, w.knows())
	}, patience, 5*time.Millisecond, "a watcher of group %d does not see the last state", w.group.index)
}
