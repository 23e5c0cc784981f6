package bolt

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server"
)

// maxGroup is how many batches at most share one transaction, and so the disk's two syncs.
const maxGroup = 256

// request is one batch on its way to the file.
type request struct {
	ctx   context.Context
	edits []edit

	// What is aged before the edits are judged: what they are about, or just what somebody looks at.
	groups [][]byte

	done chan outcome // has room for the one outcome
}

type outcome struct {
	results []server.Result
	err     error
}

// Apply makes the changes in the transaction that comes next, together with the batches of others that wait. Each batch is judged
// on its own.
func (s *Store) Apply(ctx context.Context, changes ...server.Change) ([]server.Result, error) {
	edits, err := s.prepare(changes)
	if err != nil {
		return nil, err
	}
	r := &request{ctx: ctx, edits: edits, done: make(chan outcome, 1)}
	for _, e := range edits {
		r.groups = append(r.groups, e.group) // twice costs nothing
	}
	return s.submit(r)
}

func (s *Store) submit(r *request) ([]server.Result, error) {
	if cause := s.broken.Load(); cause != nil {
		return nil, *cause
	}
	select {
	case <-s.closing:
		return nil, server.ErrClosed
	case <-r.ctx.Done():
		return nil, context.Cause(r.ctx)
	case s.queue <- r:
	}
	return s.await(r)
}

func (s *Store) await(r *request) ([]server.Result, error) {
	select {
	case o := <-r.done:
		return o.results, o.err
	case <-r.ctx.Done():
		return nil, fmt.Errorf("the change may or may not have been made: %w", context.Cause(r.ctx))
	case <-s.stopped:
	}
	select {
	case o := <-r.done: // answered just before the end
		return o.results, o.err
	default:
		return nil, server.ErrClosed
	}
}

// commitAll is the one goroutine that changes the file.
func (s *Store) commitAll() {
	defer close(s.stopped)
	for {
		select {
		case r := <-s.queue:
			s.commit(s.gather(r))
		case <-s.closing:
			for {
				select {
				case r := <-s.queue:
					s.commit(s.gather(r))
				default:
					return
				}
			}
		}
	}
}

// gather takes what waits already, and does not wait for more: while one group is being synced the next one gathers by itself.
func (s *Store) gather(first *request) []*request {
	group := []*request{first}
	for len(group) < maxGroup {
		select {
		case r := <-s.queue:
			group = append(group, r)
		default:
			return group
		}
	}
	return group
}

// errNothing rolls back a transaction that changed nothing, which saves the syncs.
var errNothing = errors.New("nothing to commit")

func (s *Store) commit(group []*request) {
	outcomes := make([]outcome, len(group))
	var gone [][]byte
	err := s.update(func(tx *bbolt.Tx) error {
		t, err := begin(tx, s.clock.look())
		if err != nil {
			return err
		}
		t.crowds, t.ageing = s.crowds, s.ageing
		for i, r := range group {
			if outcomes[i], err = t.batch(r); err != nil {
				return err
			}
		}
		gone = t.gone
		return t.end()
	})
	if err != nil {
		for i := range outcomes {
			outcomes[i] = outcome{err: err}
		}
		gone = nil
	}
	s.watchers.Wake(changedBy(group, outcomes)...) // before the answers: who watches after one is not woken for it
	s.wakeGone(gone)
	for i, r := range group {
		r.done <- outcomes[i]
	}
}

// update runs a write transaction. Nothing is known of the file after one that failed, so no other is begun.
func (s *Store) update(change func(*bbolt.Tx) error) error {
	if cause := s.broken.Load(); cause != nil {
		return *cause
	}
	err := s.tryUpdate(change)
	if err == nil || errors.Is(err, errNothing) {
		return nil
	}
	err = fmt.Errorf("%w: %w", server.ErrBroken, err)
	s.broken.Store(&err)
	return err
}

func (s *Store) tryUpdate(change func(*bbolt.Tx) error) (err error) {
	defer guard(&err)()
	return s.db.Update(change)
}
