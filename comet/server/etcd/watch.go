package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server/internal/wake"
	"github.com/renci-nrig/comet-go/scope"
)

// rewatchPause is the time between two attempts to watch etcd.
const rewatchPause = 200 * time.Millisecond

// Watch costs no goroutine and no request, only memory: the head's one watch of etcd serves all. What of it arrives late and is older
// than something that this head has seen wakes nobody who comes now.
func (s *Store) Watch(ctx context.Context, id scope.ContextID, read scope.Token, families ...scope.Family) (<-chan struct{}, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return s.watchers.WatchAfter(ctx, s.seen.Load(), id, s.digests.Read(id, read), families...)
}

// follow wakes this head's watchers for whatever any head changes from etcd's revision next on, until ctx ends.
func (s *Store) follow(ctx context.Context, next int64) {
	broken := false
	for {
		progress, err := s.followOnce(ctx, next)
		if ctx.Err() != nil {
			return
		}
		if progress > next {
			next, broken = progress, false
		}
		if errors.Is(err, rpctypes.ErrCompacted) {
			s.log.Warn("etcd has compacted changes that were not seen; waking all who wait", "store", s.at.String())
			s.watchers.All()
		} else if !broken {
			broken = true
			s.log.Warn("the watch of etcd broke; watching again", "store", s.at.String(), "error", text(err))
		}
		if !pause(ctx, rewatchPause) {
			return
		}
	}
}

// followOnce follows one watch to its end, and returns the revision from which another one has to begin.
func (s *Store) followOnce(ctx context.Context, next int64) (int64, error) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for r := range s.client.Watch(ctx, s.key(changedKeys), clientv3.WithPrefix(), clientv3.WithRev(next)) {
		if err := r.Err(); err != nil {
			return max(next, r.CompactRevision), err
		}
		if r.Header.ClusterId != s.cluster {
			return next, errors.New("another cluster answers")
		}
		for _, e := range r.Events {
			next = max(next, e.Kv.ModRevision+1)
			if err := s.wakeFor(e); err != nil {
				s.log.Warn("etcd holds what no head writes", "store", s.at.String(), "error", err)
			}
		}
	}
	return next, errors.New("it was closed")
}

func (s *Store) wakeFor(e *clientv3.Event) error {
	id, read, err := parseGroup(string(e.Kv.Key[len(s.key(changedKeys)):]))
	if err != nil {
		return err
	}
	families, err := parseFamilies(e.Kv.Value)
	if err != nil {
		return fmt.Errorf("families: %w", err)
	}
	if len(families) == 0 { // it expired
		s.watchers.WakeGroup(wake.Topic{Context: id, Read: read})
		return nil
	}
	topics := make([]wake.Topic, len(families))
	for i, f := range families {
		topics[i] = wake.Topic{Context: id, Read: read, Family: f}
	}
	s.watchers.WakeAt(uint64(e.Kv.ModRevision), topics...)
	return nil
}
