package bolt

import (
	"cmp"
	"context"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// Read looks one key up. What is not there and what the token does not show are keys that are not in the file, both.
func (s *Store) Read(ctx context.Context, name scope.Name, read scope.Token) (server.Entry, bool, error) {
	if err := done(ctx); err != nil {
		return server.Entry{}, false, err
	}
	g := groupKey(name.Context, s.digests.Read(name.Context, read))
	key := entryKey(g, name)
	var entry server.Entry
	var found bool
	err := s.viewGroup(ctx, g, func(tx *bbolt.Tx) error {
		b := tx.Bucket(tableEntries).Get(key)
		if b == nil {
			return nil
		}
		var err error
		entry, err = entryOf(name, b)
		found = err == nil
		return err
	})
	return entry, found, err
}

// List walks one range of keys; its cost depends on what it returns, not on what else is in the file.
func (s *Store) List(ctx context.Context, id scope.ContextID, read scope.Token, family scope.Family) (server.Listing, error) {
	if err := done(ctx); err != nil {
		return server.Listing{}, err
	}
	g := group{id: id, key: groupKey(id, s.digests.Read(id, read))}
	var families []scope.Family
	if !family.IsZero() {
		families = []scope.Family{family}
	}
	var listing server.Listing
	err := s.viewGroup(ctx, g.key, func(tx *bbolt.Tx) (err error) {
		if listing.Revision, err = parseRevision(tx.Bucket(tableMeta).Get(metaRevision)); err != nil {
			return err
		}
		if listing.Changed, err = g.lastChange(tx); err != nil {
			return err
		}
		listing.Entries, err = g.entries(tx, families)
		return err
	})
	if err != nil {
		return server.Listing{}, err
	}
	slices.SortFunc(listing.Entries, byName)
	return listing, nil
}

// In the file shorter names come first, because of the lengths in front of them; answers are in the order of the names.
func byName(a, b server.Entry) int { return compareNames(a.Name, b.Name) }

func compareNames(a, b scope.Name) int {
	return cmp.Or(
		cmp.Compare(a.Family.String(), b.Family.String()),
		cmp.Compare(a.Key.String(), b.Key.String()),
	)
}
