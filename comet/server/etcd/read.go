package etcd

import (
	"context"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/scope"
)

// Read looks one key up. What is not there and what the token does not show are keys that are not in etcd, both.
func (s *Store) Read(ctx context.Context, name scope.Name, read scope.Token) (server.Entry, bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return server.Entry{}, false, err
	}
	defer leave()
	g := s.show(name.Context, read)
	r, _, err := s.do(ctx, clientv3.OpGet(g.entries+afterGroup(name.Family, name.Key)))
	if err != nil {
		return server.Entry{}, false, s.failed("read", err)
	}
	if len(r.Get().Kvs) == 0 {
		return server.Entry{}, false, nil
	}
	if s.seenBy(ctx, g) {
		return server.Entry{}, false, nil
	}
	e, err := s.entry(name, r.Get().Kvs[0])
	if err != nil {
		return server.Entry{}, false, s.failed("read", err)
	}
	return e, true, nil
}

// List asks for one range of keys; its cost depends on what it returns, not on what else is in etcd.
func (s *Store) List(ctx context.Context, id scope.ContextID, read scope.Token, family scope.Family) (server.Listing, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return server.Listing{}, err
	}
	defer leave()
	g := s.show(id, read)
	look := clientv3.OpTxn(nil, []clientv3.Op{
		clientv3.OpGet(g.changed, clientv3.WithKeysOnly()),
		clientv3.OpGet(g.entries+within(family), clientv3.WithPrefix()),
	}, nil)
	r, _, err := s.do(ctx, look)
	if err == nil && len(r.Txn().Responses[0].GetResponseRange().Kvs) > 0 && s.seenBy(ctx, g) {
		r, _, err = s.do(ctx, look)
	}
	if err != nil {
		return server.Listing{}, s.failed("list", err)
	}
	l := server.Listing{Revision: s.revision(header(r).Revision), Changed: s.lastChange(r.Txn().Responses[0].GetResponseRange().Kvs)}
	if l.Entries, err = s.parseEntries(g, r.Txn().Responses[1].GetResponseRange().Kvs, nil); err != nil {
		return server.Listing{}, s.failed("list", err)
	}
	return l, nil
}

// seenBy renews a group that somebody has looked at. It reports whether the group had expired: then nothing of it is there any more.
func (s *Store) seenBy(ctx context.Context, g shown) (expired bool) {
	expired, err := s.touch(ctx, g, false)
	if err != nil && ctx.Err() == nil { // what was read stands
		s.log.Warn("what was read could not be renewed in etcd", "store", s.at.String(), "error", err)
	}
	return expired
}

// shown is where all that one read token shows in a context is kept.
type shown struct {
	id                        scope.ContextID
	entries, removed, changed string // two prefixes, and a key
	lease, alive, expired     string // keys
}

func (s *Store) show(id scope.ContextID, read scope.Token) shown {
	return s.showDigest(id, s.digests.Read(id, read))
}

func (s *Store) showDigest(id scope.ContextID, read digest.Digest) shown {
	g := group(id, read)
	return shown{
		id: id, entries: s.key(entriesKeys, g), removed: s.key(removedKeys, g), changed: s.key(changedKeys, g),
		lease: s.key(leaseKeys, g), alive: s.key(aliveKeys, g), expired: s.key(expiredKeys, g),
	}
}

// within is what follows the group in the keys of a family, nothing where it is zero.
func within(f scope.Family) string {
	if f.IsZero() {
		return ""
	}
	return f.String() + end
}

func (s *Store) lastChange(changed []*mvccpb.KeyValue) uint64 {
	if len(changed) == 0 {
		return 0
	}
	return s.revision(changed[0].ModRevision)
}

// parseEntries takes those of the families, all where there are none.
func (s *Store) parseEntries(g shown, kvs []*mvccpb.KeyValue, families []scope.Family) ([]server.Entry, error) {
	entries := make([]server.Entry, 0, len(kvs))
	for _, kv := range kvs {
		name, err := parseName(g.id, string(kv.Key[len(g.entries):]))
		if err != nil {
			return nil, err
		}
		if len(families) > 0 && !slices.Contains(families, name.Family) {
			continue
		}
		e, err := s.entry(name, kv)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (s *Store) entry(n scope.Name, kv *mvccpb.KeyValue) (server.Entry, error) {
	front, value, err := parseEntry(kv.Value)
	if err != nil {
		return server.Entry{}, err
	}
	return server.Entry{Name: n, Value: string(value), Revision: s.revision(kv.ModRevision), Modified: front.modified}, nil
}
