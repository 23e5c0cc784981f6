package guest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

// source is where a pass takes the slice's entries from.
type source interface {
	// list returns the entries of a family.
	list(ctx context.Context, family scope.Family) ([]comet.Entry, error)
	// entry returns one entry, where it is known without asking a head.
	entry(name scope.Name) (comet.Entry, bool)
}

// asking asks a head each time.
type asking struct {
	client *comet.Client
	id     scope.ContextID
	read   scope.Token
}

func (a asking) list(ctx context.Context, family scope.Family) ([]comet.Entry, error) {
	return a.client.List(ctx, a.id, family, a.read)
}

func (a asking) entry(scope.Name) (comet.Entry, bool) { return comet.Entry{}, false }

// view is the slice as far as a watch has told of it. Safe for concurrent use.
type view struct {
	changed chan struct{} // holds a value when there is something new

	mu      sync.Mutex
	known   bool
	failed  error // the last failure, nil since the last news
	logged  time.Time
	entries map[scope.Family]map[scope.Key]comet.Entry
}

func newView() *view {
	return &view{changed: make(chan struct{}, 1), entries: map[scope.Family]map[scope.Key]comet.Entry{}}
}

// take notes what changed.
func (v *view) take(c comet.Change) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.Whole {
		clear(v.entries)
	}
	for _, e := range c.Entries {
		of := v.entries[e.Name.Family]
		if of == nil {
			of = map[scope.Key]comet.Entry{}
			v.entries[e.Name.Family] = of
		}
		of[e.Name.Key] = e.Entry
	}
	for _, e := range c.Removed {
		delete(v.entries[e.Name.Family], e.Name.Key)
	}
	v.known, v.failed = true, nil
	v.wake()
}

// fail notes that no head answered. It reports whether to say so: once in a while is enough.
func (v *view) fail(err error) (say bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if say = v.failed == nil || time.Since(v.logged) > sayAgain; say {
		v.logged = time.Now()
	}
	v.failed = err
	v.wake()
	return say
}

const sayAgain = 5 * time.Minute

func (v *view) wake() {
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// errUnseen: nothing is known of the slice yet.
var errUnseen = errors.New("no head has told anything yet")

func (v *view) list(_ context.Context, family scope.Family) (list []comet.Entry, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case !v.known && v.failed != nil:
		return nil, fmt.Errorf("%w: %w", errUnseen, v.failed)
	case !v.known:
		return nil, errUnseen
	}
	for _, e := range v.entries[family] {
		list = append(list, e)
	}
	return list, nil
}

func (v *view) entry(name scope.Name) (comet.Entry, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e, known := v.entries[name.Family][name.Key]
	return e, known
}
