package etcd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// ages knows which groups this head has renewed lately.
type ages struct {
	expiry time.Duration // 0: nothing ages
	looked atomic.Bool   // this head has looked at all groups once

	mu      sync.Mutex
	renewed map[string]time.Time // by group
	swept   time.Time
}

// young reports whether the group will live for the time of the expiry at least, without asking etcd.
func (a *ages) young(group string) bool {
	if a.expiry == 0 {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	at, known := a.renewed[group]
	return known && time.Since(at) < a.expiry
}

// renew notes that the group lives for twice the expiry from a moment on.
func (a *ages) renew(group string, from time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.renewed == nil || time.Since(a.swept) > a.expiry {
		a.swept = time.Now()
		for g, at := range a.renewed {
			if time.Since(at) >= a.expiry {
				delete(a.renewed, g)
			}
		}
		if a.renewed == nil {
			a.renewed = map[string]time.Time{}
		}
	}
	a.renewed[group] = from
}

func (a *ages) forget(group string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.renewed, group)
}

// grace is while this head has not yet looked at everything: what has lapsed by then did so while no head ran that could renew it, and
// gets a new life.
func (a *ages) grace() bool { return !a.looked.Load() }

// ttl is for etcd, which counts seconds.
func (a *ages) ttl() int64 { return max(int64((2*a.expiry+time.Second-1)/time.Second), 1) }

// life is what etcd says of a group's age.
type life struct {
	lease clientv3.LeaseID // 0 where its age was never begun
	since int64            // revision of what names the lease
	alive bool
	empty bool
}

// look asks for a group's life.
func (s *Store) lifeOf(ctx context.Context, g shown) (l life, err error) {
	r, _, err := s.do(ctx, clientv3.OpTxn(nil, []clientv3.Op{
		clientv3.OpGet(g.lease),
		clientv3.OpGet(g.alive, clientv3.WithKeysOnly()),
		clientv3.OpGet(g.entries, clientv3.WithPrefix(), clientv3.WithLimit(1), clientv3.WithKeysOnly()),
	}, nil))
	if err != nil {
		return life{}, err
	}
	found := r.Txn().Responses
	for _, kv := range found[0].GetResponseRange().Kvs {
		if len(kv.Value) != 8 {
			return life{}, errDamaged
		}
		l.lease, l.since = clientv3.LeaseID(binary.BigEndian.Uint64(kv.Value)), kv.ModRevision
	}
	l.alive = len(found[1].GetResponseRange().Kvs) > 0
	l.empty = len(found[2].GetResponseRange().Kvs) == 0
	return l, nil
}

// touch renews a group that has entries, or is about to get some, and reports whether it had expired, in which case nothing of it is
// left now. Renewing makes no revision.
func (s *Store) touch(ctx context.Context, g shown, getsSome bool) (expired bool, err error) {
	if s.ages.young(g.changed) {
		return false, nil
	}
	for range maxTouches {
		l, err := s.lifeOf(ctx, g)
		if err != nil {
			return expired, err
		}
		switch {
		case l.lease == 0 && l.empty && !getsSome:
			return expired, nil
		case l.lease == 0, !l.alive && s.ages.grace():
			err = s.begin(ctx, g, l.since)
		case l.alive:
			err = s.keepAlive(ctx, g, l.lease)
		default:
			expired = true
			err = s.expire(ctx, g, l.since)
		}
		if err != nil || s.ages.young(g.changed) {
			return expired, err
		}
	}
	return expired, errAgeChanges
}

var errAgeChanges = errors.New("its age changes all the time")

// maxTouches is how often a touch looks anew because something else happened meanwhile.
const maxTouches = 20

// keepAlive renews the lease, unless that has ended.
func (s *Store) keepAlive(ctx context.Context, g shown, lease clientv3.LeaseID) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	from := time.Now()
	_, err := s.client.KeepAliveOnce(ctx, lease)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		pause(ctx, retryPause) // until the members have taken its key away
		return nil
	}
	if err != nil {
		return &callError{fmt.Errorf("%w: renew: %s", ErrUnavailable, s.reach.why(err)), false}
	}
	s.ages.renew(g.changed, from)
	return nil
}

// begin begins the age of a group, or a new one in place of the lease named at revision since, unless somebody else is faster.
func (s *Store) begin(ctx context.Context, g shown, since int64) error {
	granting, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	from := time.Now()
	lease, err := s.client.Grant(granting, s.ages.ttl())
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace):
		return errQuota
	case err != nil:
		return &callError{fmt.Errorf("%w: lease: %s", ErrUnavailable, s.reach.why(err)), false}
	}
	r, again, err := s.do(ctx, clientv3.OpTxn(
		[]clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(g.lease), "=", since)},
		[]clientv3.Op{
			clientv3.OpPut(g.lease, string(binary.BigEndian.AppendUint64(nil, uint64(lease.ID)))),
			clientv3.OpPut(g.alive, "", clientv3.WithLease(lease.ID)),
		}, nil))
	switch {
	case err != nil:
		return err // the lease ends by itself
	case r.Txn().Succeeded:
		s.ages.renew(g.changed, from)
	case !again:
		_, _ = s.client.Revoke(granting, lease.ID) // or it ends by itself
	}
	return nil
}

// expire takes away a group whose lease has ended, all of it in one revision, unless somebody was faster. The lease's name must be as
// it was found: another one is another life.
func (s *Store) expire(ctx context.Context, g shown, since int64) error {
	s.ages.forget(g.changed)
	_, _, err := s.do(ctx, clientv3.OpTxn(
		[]clientv3.Cmp{
			clientv3.Compare(clientv3.ModRevision(g.lease), "=", since),
			clientv3.Compare(clientv3.CreateRevision(g.alive), "=", 0),
		},
		[]clientv3.Op{
			clientv3.OpDelete(g.entries, clientv3.WithPrefix()),
			clientv3.OpDelete(g.removed, clientv3.WithPrefix()),
			clientv3.OpDelete(g.lease),
			clientv3.OpPut(g.expired, ""),
			clientv3.OpPut(g.changed, ""), // no family: whoever waits for any wakes
		}, nil))
	return err
}
