package etcd

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// sweepPage is how many keys a sweep asks for at a time.
const sweepPage = 1000

// longestSweep is how long leases are followed at most before all is looked at again: what was imported has no age before that.
const longestSweep = 24 * time.Hour

// sweep takes away what expired, until ctx ends: at once where this head sees a lease end. At first it begins the age of what has none,
// and of what lapsed while no head ran.
func (s *Store) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.sweepAll(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("what expired in etcd was not taken away; trying again", "store", s.at.String(), "error", err)
		} else {
			s.ages.looked.Store(true)
			s.sweepEnded(ctx)
		}
		pause(ctx, rewatchPause)
	}
}

// sweepEnded follows the leases until that breaks.
func (s *Store) sweepEnded(ctx context.Context) {
	again := min(max(s.ages.expiry, time.Minute), longestSweep)
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), again)
	defer cancel()
	for r := range s.client.Watch(ctx, s.key(aliveKeys), clientv3.WithPrefix(), clientv3.WithFilterPut()) {
		if r.Err() != nil {
			return
		}
		for _, e := range r.Events {
			if err := s.sweepGroup(ctx, string(e.Kv.Key[len(s.key(aliveKeys)):])); err != nil {
				return
			}
		}
	}
}

// sweepAll looks at all groups, by the keys that stand for their last change.
func (s *Store) sweepAll(ctx context.Context) error {
	from, last := s.key(changedKeys), clientv3.GetPrefixRangeEnd(s.key(changedKeys))
	for {
		r, _, err := s.do(ctx, clientv3.OpGet(from, clientv3.WithRange(last), clientv3.WithKeysOnly(), clientv3.WithLimit(sweepPage)))
		if err != nil {
			return err
		}
		for _, kv := range r.Get().Kvs {
			if err := s.sweepGroup(ctx, string(kv.Key[len(s.key(changedKeys)):])); err != nil {
				return err
			}
			from = string(kv.Key) + end
		}
		if !r.Get().More {
			return nil
		}
	}
}

// sweepGroup takes the group away where it expired, and begins its age where it has none. In the time of grace what lapsed begins
// another. It does not renew.
func (s *Store) sweepGroup(ctx context.Context, name string) error {
	id, read, err := parseGroup(name)
	if err != nil {
		return nil // not ours to judge
	}
	g := s.showDigest(id, read)
	l, err := s.lifeOf(ctx, g)
	switch {
	case err != nil:
		return err
	case l.lease == 0 && !l.empty, l.lease != 0 && !l.alive && s.ages.grace():
		err = s.begin(ctx, g, l.since)
	case l.lease != 0 && !l.alive:
		err = s.expire(ctx, g, l.since)
	}
	if err != nil {
		return fmt.Errorf("age: %w", err)
	}
	return nil
}
