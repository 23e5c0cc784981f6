package bolt

import (
	"bytes"
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
	key := entryKey(groupKey(name.Context, s.digests.Read(name.Context, read)), name)
	var entry server.Entry
	var found bool
	err := s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketEntries).Get(key)
		if b == nil {
			return nil
		}
		var err error
		entry, err = parseEntry(name, b)
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
	group := groupKey(id, s.digests.Read(id, read))
	prefix := group
	if !family.IsZero() {
		prefix = familyKey(group, family)
	}
	var listing server.Listing
	err := s.view(func(tx *bbolt.Tx) (err error) {
		if listing.Revision, err = parseRevision(tx.Bucket(bucketMeta).Get(metaRevision)); err != nil {
			return err
		}
		if listing.Changed, err = lastChange(tx, group); err != nil {
			return err
		}
		c := tx.Bucket(bucketEntries).Cursor()
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			name, err := parseName(id, k[len(group):])
			if err != nil {
				return err
			}
			e, err := parseEntry(name, v)
			if err != nil {
				return err
			}
			listing.Entries = append(listing.Entries, e)
		}
		return nil
	})
	if err != nil {
		return server.Listing{}, err
	}
	// In the file shorter names come first, because of the lengths in front of them.
	slices.SortFunc(listing.Entries, byName)
	return listing, nil
}

// lastChange is the revision of the newest row of changes in a group, 0 where there is none.
func lastChange(tx *bbolt.Tx, group []byte) (uint64, error) {
	c := tx.Bucket(bucketChanges).Cursor()
	k, _ := c.Seek(append(group[:len(group):len(group)], afterAll...))
	if k == nil {
		k, _ = c.Last()
	} else {
		k, _ = c.Prev()
	}
	if !bytes.HasPrefix(k, group) {
		return 0, nil
	}
	return parseRevision(k[len(group):min(len(k), len(group)+8)])
}

// afterAll is more than any revision.
var afterAll = bytes.Repeat([]byte{0xff}, 8)

func byName(a, b server.Entry) int {
	return cmp.Or(
		cmp.Compare(a.Name.Family.String(), b.Name.Family.String()),
		cmp.Compare(a.Name.Key.String(), b.Name.Key.String()),
	)
}
