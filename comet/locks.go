package comet

import (
	"context"
	"sync"
)

// locks keeps those apart who work on the same thing. The zero value is ready.
type locks[K comparable] struct {
	mu   sync.Mutex
	held map[K]*lock
}

type lock struct {
	users int // holder and waiting
	free  chan struct{}
}

// lock waits until nobody else holds the lock of this thing, or ctx ends; then the error is the context's.
func (l *locks[K]) lock(ctx context.Context, of K) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[K]*lock{}
	}
	one := l.held[of]
	if one == nil {
		one = &lock{free: make(chan struct{}, 1)}
		one.free <- struct{}{}
		l.held[of] = one
	}
	one.users++
	l.mu.Unlock()
	select {
	case <-one.free:
		return func() {
			one.free <- struct{}{}
			l.leave(of, one)
		}, nil
	case <-ctx.Done():
		l.leave(of, one)
		return nil, context.Cause(ctx)
	}
}

func (l *locks[K]) leave(of K, one *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(l.held, of)
	}
}
