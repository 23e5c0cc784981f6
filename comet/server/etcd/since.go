package etcd

import (
	"context"
	"fmt"
	"math"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// Since asks for what is newer in two ranges, the entries and the removals, unless the group has not changed at all. Many who ask for
// the same at the same time, as watchers do who were woken together, share an answer.
func (s *Store) Since(ctx context.Context, id scope.ContextID, read scope.Token, since uint64, families ...scope.Family) (server.Changes, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return server.Changes{}, err
	}
	defer leave()
	g := s.show(id, read)
	what := fmt.Sprint(g.changed, end, since, end, encodeFamilies(families))
	c, err := s.sinces.share(ctx, what, func(ctx context.Context) (server.Changes, error) {
		s.seenBy(ctx, g)
		return s.since(ctx, g, since, families)
	})
	if err != nil {
		return server.Changes{}, s.failed("look for changes", err)
	}
	c.Entries, c.Removed = slices.Clone(c.Entries), slices.Clone(c.Removed) // callers may do with theirs what they like
	return c, nil
}

func (s *Store) since(ctx context.Context, g shown, since uint64, families []scope.Family) (server.Changes, error) {
	only := ""
	if len(families) == 1 {
		only = within(families[0])
	}
	newer := clientv3.WithMinModRev(s.etcds(since) + 1)
	count := clientv3.OpGet(g.entries, clientv3.WithPrefix(), clientv3.WithCountOnly())
	r, _, err := s.do(ctx, clientv3.OpTxn(
		[]clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(g.changed), ">", s.etcds(since))},
		[]clientv3.Op{count,
			clientv3.OpGet(g.entries+only, clientv3.WithPrefix(), newer),
			clientv3.OpGet(g.removed+only, clientv3.WithPrefix(), newer, clientv3.WithKeysOnly()),
			clientv3.OpGet(g.expired, newer, clientv3.WithKeysOnly()),
		},
		[]clientv3.Op{count}))
	if err != nil {
		return server.Changes{}, err
	}
	found := r.Txn().Responses
	c := server.Changes{Revision: s.revision(header(r).Revision), Empty: found[0].GetResponseRange().Count == 0}
	switch {
	case since > c.Revision:
		return s.everything(ctx, g, families)
	case !r.Txn().Succeeded:
		return c, nil
	case len(found[3].GetResponseRange().Kvs) > 0:
		return s.everything(ctx, g, families)
	}
	if c.Entries, err = s.parseEntries(g, found[1].GetResponseRange().Kvs, families); err != nil {
		return server.Changes{}, err
	}
	c.Removed, err = parseRemoved(g, found[2].GetResponseRange().Kvs, families)
	return c, err
}

// everything is for who comes with a revision that this etcd does not have.
func (s *Store) everything(ctx context.Context, g shown, families []scope.Family) (server.Changes, error) {
	r, _, err := s.do(ctx, clientv3.OpGet(g.entries, clientv3.WithPrefix()))
	if err != nil {
		return server.Changes{}, err
	}
	c := server.Changes{Revision: s.revision(header(r).Revision), Empty: r.Get().Count == 0, Whole: true}
	c.Entries, err = s.parseEntries(g, r.Get().Kvs, families)
	return c, err
}

// etcds turns one of our revisions into etcd's; what no etcd can have becomes the greatest.
func (s *Store) etcds(revision uint64) int64 {
	return int64(min(revision, math.MaxInt64-1-s.made) + s.made)
}

func parseRemoved(g shown, kvs []*mvccpb.KeyValue, families []scope.Family) (names []scope.Name, err error) {
	for _, kv := range kvs {
		name, err := parseName(g.id, string(kv.Key[len(g.removed):]))
		if err != nil {
			return nil, err
		}
		if len(families) == 0 || slices.Contains(families, name.Family) {
			names = append(names, name)
		}
	}
	return names, nil
}
