package etcd

import (
	"context"
	"slices"
	"sync"
)

// turns let the changes that come to this head for one entry go one after another: on etcd all but one of them would fail, each at
// the cost of a sync, and begin again. The zero value is ready.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // by key; closed when the turn is over
}

// take waits until nobody else has one of the keys. It returns the context's cause where that ends before.
func (t *turns) take(ctx context.Context, keys []string) (release func(), err error) {
	slices.Sort(keys) // everybody in the same order, or two could wait for each other
	for i, key := range keys {
		if err := t.takeOne(ctx, key); err != nil {
			t.release(keys[:i])
			return nil, err
		}
	}
	return func() { t.release(keys) }, nil
}

func (t *turns) takeOne(ctx context.Context, key string) error {
	for {
		t.mu.Lock()
		before, taken := t.taken[key]
		if !taken {
			if t.taken == nil {
				t.taken = map[string]chan struct{}{}
			}
			t.taken[key] = make(chan struct{})
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (t *turns) release(keys []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range keys {
		close(t.taken[key])
		delete(t.taken, key)
	}
}
