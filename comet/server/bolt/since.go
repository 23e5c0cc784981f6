package bolt

import (
	"context"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/wake"
	"github.com/renci-nrig/comet-go/scope"
)

// Watch costs no goroutine, only memory.
func (s *Store) Watch(ctx context.Context, id scope.ContextID, read scope.Token, families ...scope.Family) (<-chan struct{}, error) {
	if err := done(ctx); err != nil {
		return nil, err
	}
	return s.watchers.Watch(ctx, id, s.digests.Read(id, read), families...)
}

// changedBy is what these batches changed, each topic once: many batches of a group may be about the same.
func changedBy(group []*request, outcomes []outcome) []wake.Topic {
	changed := map[wake.Topic]struct{}{}
	for i, r := range group {
		for j, result := range outcomes[i].results {
			if result.Changed {
				changed[r.edits[j].topic] = struct{}{}
			}
		}
	}
	return slices.Collect(maps.Keys(changed))
}

// Since walks one range of the changes; its cost depends on how much the token shows that changed. The file knows all changes since
// its beginning, so only revisions of the future are answered with the whole state, and those
// from before everything expired.
func (s *Store) Since(ctx context.Context, id scope.ContextID, read scope.Token, since uint64, families ...scope.Family) (server.Changes, error) {
	if err := done(ctx); err != nil {
		return server.Changes{}, err
	}
	g := group{id: id, key: groupKey(id, s.digests.Read(id, read))}
	var c server.Changes
	err := s.viewGroup(ctx, g.key, func(tx *bbolt.Tx) (err error) {
		if c.Revision, err = parseRevision(tx.Bucket(tableMeta).Get(metaRevision)); err != nil {
			return err
		}
		expired, err := g.expired(tx)
		if err != nil {
			return err
		}
		c.Empty = g.empty(tx)
		if c.Whole = since > c.Revision || since < expired; c.Whole {
			c.Entries, err = g.entries(tx, families)
		} else {
			c.Entries, c.Removed, err = g.changed(tx, since, families)
		}
		return err
	})
	if err != nil {
		return server.Changes{}, err
	}
	slices.SortFunc(c.Entries, byName)
	slices.SortFunc(c.Removed, compareNames)
	return c, nil
}
