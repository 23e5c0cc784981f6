package comet

import (
	"context"
	"errors"
	"sync"
)

// DefaultParallel is how many requests of one Bulk run side by side where it says nothing.
const DefaultParallel = 16

// Bulk says how many things are done at once. The zero value does 16 side by side and stops at the first error.
type Bulk struct {
	Parallel int                   // requests at a time; 0 means DefaultParallel
	All      bool                  // go on after an error and return all of them, joined in the order of the items
	Progress func(done, total int) // called after each item, or several, well or not, one call at a time; may be nil
}

// Each does something to every item, several side by side. Without bulk.All it begins nothing new after the first error, cancels
// what is under way, and returns that error; the context's own error counts where it came first.
func Each[T any](ctx context.Context, items []T, bulk Bulk, do func(context.Context, T) error) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	e := &each{bulk: bulk, total: len(items), errs: make([]error, len(items)), stop: cancel}
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(bulk.parallel(), len(items)) {
		workers.Go(func() {
			for i := range next {
				if within.Err() == nil { // else it was handed out while the end came
					e.done(i, do(within, items[i]))
				}
			}
		})
	}
	feed(within, next, len(items))
	workers.Wait()
	return e.result(ctx)
}

func (b Bulk) parallel() int {
	if b.Parallel > 0 {
		return b.Parallel
	}
	return DefaultParallel
}

// steps returns a function that tells Progress that some more of the items are done.
func (b Bulk) steps(total int) func(more int) {
	var mu sync.Mutex
	done := 0
	return func(more int) {
		mu.Lock()
		defer mu.Unlock()
		if done += more; b.Progress != nil {
			b.Progress(done, total)
		}
	}
}

func feed(ctx context.Context, next chan<- int, n int) {
	defer close(next)
	for i := range n {
		if ctx.Err() != nil {
			return
		}
		select {
		case next <- i:
		case <-ctx.Done():
			return
		}
	}
}

type each struct {
	bulk  Bulk
	total int
	stop  context.CancelFunc

	mu       sync.Mutex
	finished int
	errs     []error
	first    error
}

func (e *each) done(i int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.finished++
	e.errs[i] = err
	if err != nil && e.first == nil {
		e.first = err
		if !e.bulk.All {
			e.stop()
		}
	}
	if e.bulk.Progress != nil {
		e.bulk.Progress(e.finished, e.total)
	}
}

func (e *each) result(ctx context.Context) error {
	switch {
	case e.bulk.All && e.first != nil:
		return errors.Join(append(e.errs, ctx.Err())...)
	case e.first != nil:
		return e.first
	}
	return ctx.Err()
}
