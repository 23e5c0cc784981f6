package bolt

import (
	"context"
	"io"
	"time"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/scope"
)

var _ contents.Store = (*Store)(nil)

// Export writes the entries of one moment. As with Backup, w should not be slow.
func (s *Store) Export(ctx context.Context, w io.Writer) error {
	if err := done(ctx); err != nil {
		return err
	}
	h := contents.Header{Store: s.identity, Taken: time.Now().UTC().Truncate(time.Second), Key: s.digests}
	return s.view(func(tx *bbolt.Tx) error { return contents.Write(ctx, w, h, allEntries(tx)) })
}

// allEntries walks all entries, in the order of the file.
func allEntries(tx *bbolt.Tx) contents.Entries {
	return func(yield func(contents.Entry, error) bool) {
		c := tx.Bucket(tableEntries).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			r, err := parseWhole(k, v)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// parseWhole reads an entry of which nothing is known.
func parseWhole(k, v []byte) (contents.Entry, error) {
	id, read, afterGroup, err := parseGroup(k)
	if err != nil {
		return contents.Entry{}, err
	}
	name, err := parseName(id, afterGroup)
	if err != nil {
		return contents.Entry{}, err
	}
	r, value, err := parseEntry(v)
	return contents.Entry{Name: name, Read: read, Write: r.write, Value: string(value), Modified: r.modified, Owner: r.owner}, err
}

// parseGroup reads the group at the beginning of an entry's key.
func parseGroup(k []byte) (id scope.ContextID, read digest.Digest, afterGroup []byte, err error) {
	text, rest, ok := cutText(k)
	if !ok || len(rest) < digest.Size {
		return id, read, nil, errDamaged
	}
	if id, err = scope.ParseContextID(text); err != nil {
		return id, read, nil, errDamaged
	}
	return id, digest.Digest(rest[:digest.Size]), rest[digest.Size:], nil
}

// Groups looks at every entry.
func (s *Store) Groups(ctx context.Context) (groups []contents.Group, err error) {
	err = s.view(func(tx *bbolt.Tx) (err error) {
		groups, err = contents.Collect(ctx, allEntries(tx))
		return err
	})
	return groups, err
}
