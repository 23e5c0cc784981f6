package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/judge"
)

// MaxChanges is how many changes one batch may hold. Each takes up to three of the 128 operations that etcd allows in a transaction.
const MaxChanges = 40

// The pauses before a batch is judged anew because other heads changed the same entries. Each is twice as long as the one before; after
// the longest the batch has failed.
const (
	conflictPause = 2 * time.Millisecond
	longestPause  = 2 * time.Second
)

// Apply reads what the batch is about, judges it, and makes it in one transaction that demands that nothing has changed meanwhile. It
// takes at most twice the time of WithTimeout.
func (s *Store) Apply(ctx context.Context, changes ...server.Change) ([]server.Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*s.timeout, fmt.Errorf("%w: the change took longer than %s", ErrUnavailable, 2*s.timeout))
	defer cancel()
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	edits, err := judge.Edits(s.digests, changes)
	if err != nil || len(edits) == 0 {
		return nil, err
	}
	if len(edits) > MaxChanges {
		return nil, fmt.Errorf("a batch on etcd has at most %d changes, this one has %d", MaxChanges, len(edits))
	}
	b := s.newBatch(edits)
	release, err := s.turn(ctx, b)
	if err != nil {
		return nil, s.failed("change", err)
	}
	defer release()
	if err := s.renewAll(ctx, b); err != nil {
		return nil, s.failed("change", certain(err))
	}
	results, err := s.apply(ctx, b)
	if refused, ok := errors.AsType[*server.ChangeError](err); ok {
		return nil, refused
	}
	if call, ok := errors.AsType[*callError](err); ok && call.unknown {
		if errors.Is(err, server.ErrNoRoom) { // which says that nothing was changed
			err = errors.New(err.Error())
		}
		err = fmt.Errorf("the change may or may not have been made: %w", err)
	}
	if err != nil {
		return nil, s.failed("change", err)
	}
	return results, nil
}

// turn waits until no other change of the same entries is under way in this head.
func (s *Store) turn(ctx context.Context, b *batch) (release func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("%w: earlier changes to the same entry still wait", ErrUnavailable))
	defer cancel()
	keys := make([]string, len(b.edits))
	for i, e := range b.edits {
		keys[i] = e.entry
	}
	return s.turns.take(ctx, keys)
}

// apply begins again when another head was faster.
func (s *Store) apply(ctx context.Context, b *batch) ([]server.Result, error) {
	for wait := conflictPause; wait <= longestPause; wait *= 2 {
		now, _, err := s.do(ctx, b.look())
		if err != nil {
			return nil, certain(err)
		}
		if err := b.judge(s, now.Txn()); err != nil {
			return nil, err
		}
		if !b.changes {
			return b.results(0), nil
		}
		r, again, err := s.do(ctx, b.transaction())
		if errors.Is(err, server.ErrNoRoom) {
			return s.filled(ctx, b, again)
		}
		if err != nil {
			return nil, err
		}
		if r.Txn().Succeeded {
			return b.results(s.revision(header(r).Revision)), nil
		}
		if again {
			return s.settle(ctx, b)
		}
		if !pause(ctx, wait) {
			return nil, context.Cause(ctx)
		}
		if err := s.renewAgain(ctx, b); err != nil {
			return nil, certain(err)
		}
	}
	return nil, errors.New("other heads change the same entries all the time; nothing was changed")
}

// renewAll makes sure that what is written will live: what a batch is about is renewed, or gone, before it is judged.
func (s *Store) renewAll(ctx context.Context, b *batch) error {
	seen := map[string]bool{}
	for _, e := range b.edits {
		if mayCreate := e.MayCreate && !e.Delete; mayCreate || !seen[e.at.changed] {
			seen[e.at.changed] = true
			if _, err := s.touch(ctx, e.at, mayCreate); err != nil {
				return err
			}
		}
	}
	return nil
}

// renewAgain is for a batch whose demands failed: what this head knew of the ages may be wrong.
func (s *Store) renewAgain(ctx context.Context, b *batch) error {
	if !b.ages {
		_, _, err := s.do(ctx, b.ageless())
		return err
	}
	for _, e := range b.edits {
		s.ages.forget(e.at.changed)
	}
	return s.renewAll(ctx, b)
}

// settle finds out what became of a batch whose first transaction was not answered, and whose second found other entries than it
// demanded: those that the first one made, or somebody else.
func (s *Store) settle(ctx context.Context, b *batch) ([]server.Result, error) {
	now, _, err := s.do(ctx, b.look())
	if err != nil {
		return nil, &callError{certain(err), true}
	}
	return s.found(b, now.Txn(), errors.New("etcd did not answer, and when asked again somebody else had changed the entry"))
}

// filled finds out whether a batch was made with whose transaction etcd was full, or was full before.
func (s *Store) filled(ctx context.Context, b *batch, again bool) ([]server.Result, error) {
	now, _, err := s.do(ctx, b.check())
	if err != nil {
		return nil, &callError{certain(err), true}
	}
	if now.Txn().Succeeded { // nothing was made, unless by what was asked before and is still under way
		return nil, &callError{errQuota, again}
	}
	return s.found(b, now.Txn(), errQuota)
}

// found is what became of a batch that has left its mark, or else failed with err.
func (s *Store) found(b *batch, now *clientv3.TxnResponse, err error) ([]server.Result, error) {
	switch revision, broken := b.madeIn(s, now); {
	case broken != nil:
		return nil, broken
	case revision == 0:
		return nil, &callError{err, true}
	default:
		return b.results(revision), nil
	}
}

// certain is for calls that cannot have made anything.
func certain(err error) error {
	if call, ok := errors.AsType[*callError](err); ok {
		return call.err
	}
	return err
}
