package etcd

import (
	"context"
	"sync"
)

// flights let callers who ask for the same share an answer. Nobody gets one that was being looked for before he asked: it could be
// older than what he knows of.
type flights[T any] struct {
	start func(func()) // runs a function in a goroutine

	mu      sync.Mutex
	waiting map[string]*flight[T] // not begun yet, for everybody to join
	running map[string]*flight[T]
}

type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// share returns what ask returns, to this caller or another. The first caller's context does not end what others wait for; ask bounds
// its time itself.
func (f *flights[T]) share(ctx context.Context, what string, ask func(context.Context) (T, error)) (T, error) {
	fl := f.join(ctx, what, ask)
	select {
	case <-fl.done:
		return fl.value, fl.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

func (f *flights[T]) join(ctx context.Context, what string, ask func(context.Context) (T, error)) *flight[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.waiting[what]; fl != nil {
		return fl
	}
	fl := &flight[T]{done: make(chan struct{})}
	before := f.running[what]
	if f.waiting == nil {
		f.waiting, f.running = map[string]*flight[T]{}, map[string]*flight[T]{}
	}
	f.waiting[what] = fl
	f.start(func() { f.fly(context.WithoutCancel(ctx), what, fl, before, ask) })
	return fl
}

func (f *flights[T]) fly(ctx context.Context, what string, fl, before *flight[T], ask func(context.Context) (T, error)) {
	if before != nil {
		<-before.done
	}
	f.mu.Lock()
	delete(f.waiting, what)
	f.running[what] = fl
	f.mu.Unlock()
	fl.value, fl.err = ask(ctx)
	f.mu.Lock()
	if f.running[what] == fl {
		delete(f.running, what)
	}
	f.mu.Unlock()
	close(fl.done)
}
