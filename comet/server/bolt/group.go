package bolt

import (
	"bytes"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// group is what one read token shows in a context.
type group struct {
	id  scope.ContextID
	key []byte // the first part of the keys of all its entries
}

func (g group) empty(tx *bbolt.Tx) bool {
	k, _ := tx.Bucket(tableEntries).Cursor().Seek(g.key)
	return !bytes.HasPrefix(k, g.key)
}

// entries returns what is there now in the families, or in all where none is given, in the order of the file.
func (g group) entries(tx *bbolt.Tx, families []scope.Family) (all []server.Entry, err error) {
	prefixes := [][]byte{g.key}
	if len(families) > 0 {
		prefixes = nil
		for i, f := range families {
			if !slices.Contains(families[:i], f) {
				prefixes = append(prefixes, familyKey(g.key, f))
			}
		}
	}
	c := tx.Bucket(tableEntries).Cursor()
	for _, prefix := range prefixes {
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			name, err := parseName(g.id, k[len(g.key):])
			if err != nil {
				return nil, err
			}
			e, err := entryOf(name, v)
			if err != nil {
				return nil, err
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// changed returns what has a row of the changes after the revision, in the order of the changes.
func (g group) changed(tx *bbolt.Tx, since uint64, families []scope.Family) (entries []server.Entry, removed []scope.Name, err error) {
	present := tx.Bucket(tableEntries)
	c := tx.Bucket(tableChanges).Cursor()
	for row, kind := c.Seek(changeKey(g.key, g.key, since+1)); bytes.HasPrefix(row, g.key); row, kind = c.Next() {
		if len(row) < len(g.key)+8 {
			return nil, nil, errDamaged
		}
		afterGroup := row[len(g.key)+8:]
		name, err := parseName(g.id, afterGroup)
		if err != nil {
			return nil, nil, err
		}
		if len(families) > 0 && !slices.Contains(families, name.Family) {
			continue
		}
		if bytes.Equal(kind, changeRemove) {
			removed = append(removed, name)
			continue
		}
		e, err := entryOf(name, present.Get(append(g.key[:len(g.key):len(g.key)], afterGroup...)))
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, e)
	}
	return entries, removed, nil
}

// lastChange is the revision of the newest row of changes in a group, or in which it expired; 0 where there is none.
func (g group) lastChange(tx *bbolt.Tx) (uint64, error) {
	expired, err := g.expired(tx)
	if err != nil {
		return 0, err
	}
	c := tx.Bucket(tableChanges).Cursor()
	k, _ := c.Seek(append(g.key[:len(g.key):len(g.key)], afterAll...))
	if k == nil {
		k, _ = c.Last()
	} else {
		k, _ = c.Prev()
	}
	if !bytes.HasPrefix(k, g.key) {
		return expired, nil
	}
	last, err := parseRevision(k[len(g.key):min(len(k), len(g.key)+8)])
	return max(last, expired), err
}

// afterAll is more than any revision.
var afterAll = bytes.Repeat([]byte{0xff}, 8)
