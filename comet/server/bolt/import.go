package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/comet/server/internal/judge"
)

// An import commits so many entries, or bytes of values, at once, to a file that nobody sees yet.
const (
	importEntries = 2000
	importBytes   = 8 << 20
)

// Import puts the entries of an export into the store in the file at path: all or none, under one revision. The store is made where
// there is no file; one that is there must not be in use. An empty one takes the key of the export, and a new identity with it; one
// that has entries must have that key, or the error is contents.ErrOtherKey. Entries that are newer in the store stay. What ages in the
// store goes on doing so, and all that the export is about as if it were written now. The errors name the store.
//
// What the store has removed stays removed, and counts as kept, also where nothing else is left in it. The store knows no time of a
// removal: only an entry that was changed after the file was is known to be newer, and comes back. An import into a store on etcd brings
// back all that is not in it.
func Import(ctx context.Context, path string, from *contents.File) (did contents.Imported, err error) {
	err = exchange(path, func(old *os.File, beside string) error {
		did = contents.Imported{}
		s, err := openToFill(old, beside, from.Key)
		if err != nil {
			return err
		}
		did.Made = s.empty
		err = s.fill(ctx, from.All(), &did)
		err = errors.Join(err, s.db.Sync(), s.db.Close())
		if err == nil && !did.Made && did.Added+did.Replaced == 0 && !s.renewed {
			return errUnchanged
		}
		return err
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return contents.Imported{}, fmt.Errorf("store %s %w", path, err)
	}
	return did, nil
}

// filling is a store in a file that has no name yet.
type filling struct {
	*Store
	empty   bool
	changed time.Time // when the old file last was; nothing in it was removed later
	renewed bool      // something that ages was
}

// openToFill opens a copy of the old store or, where that is empty and has another key or there is none, a new one with this key.
func openToFill(old *os.File, beside string, key digest.Key) (*filling, error) {
	if old != nil {
		info, err := old.Stat()
		if err != nil {
			return nil, err
		}
		s, err := openCopy(old, beside)
		if err != nil {
			return nil, err
		}
		if s.digests.Equal(key) {
			return &filling{Store: s, changed: info.ModTime()}, nil
		}
		empty, err := s.isEmpty()
		if err = errors.Join(err, s.db.Close()); err != nil {
			return nil, err
		}
		if !empty {
			return nil, contents.ErrOtherKey
		}
		if err := os.Truncate(beside, 0); err != nil {
			return nil, err
		}
	}
	if err := fill(beside, key); err != nil {
		return nil, err
	}
	s, err := open(beside)
	return &filling{Store: s, empty: true}, err
}

func openCopy(old *os.File, beside string) (*Store, error) {
	f, err := os.OpenFile(beside, os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := old.Stat()
	if err == nil {
		_, err = io.Copy(f, io.NewSectionReader(old, 0, info.Size()))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return open(beside, KeepingAges())
}

func (s *Store) isEmpty() (empty bool, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		k, _ := tx.Bucket(tableEntries).Cursor().First()
		empty = k == nil
		return nil
	})
	return empty, err
}

// fill puts all entries in, a part at a time. Nothing is synced: the file is, before it gets its name.
func (f *filling) fill(ctx context.Context, from contents.Entries, did *contents.Imported) error {
	f.db.NoSync = true
	var part []contents.Entry
	size := 0
	var revision uint64
	commit := func() error {
		err := f.tryUpdate(func(tx *bbolt.Tx) error { return f.importPart(tx, &revision, part, did) })
		part, size = part[:0], 0
		return err
	}
	for r, err := range from {
		if err == nil {
			err = done(ctx)
		}
		if err != nil {
			return fmt.Errorf("is not changed: the export %w", err)
		}
		part = append(part, r)
		if size += len(r.Value); len(part) == importEntries || size >= importBytes {
			if err := commit(); err != nil {
				return err
			}
		}
	}
	return commit()
}

// importPart makes its changes under one revision, the one after the newest, which is chosen by the first part.
func (f *filling) importPart(tx *bbolt.Tx, revision *uint64, part []contents.Entry, did *contents.Imported) error {
	t, err := begin(tx, f.clock.look())
	if err != nil {
		return err
	}
	if *revision == 0 {
		*revision = t.before + 1
	}
	for _, r := range part {
		if err := t.importOne(r, *revision, f.changed, did); err != nil {
			return err
		}
	}
	f.renewed = f.renewed || t.renewed
	return t.meta.Put(metaRevision, encodeRevision(t.revision))
}

// importOne takes an entry in. Nothing was removed after the store was last changed.
func (t *transaction) importOne(r contents.Entry, revision uint64, changed time.Time, did *contents.Imported) (err error) {
	did.Entries++
	group := groupKey(r.Name.Context, r.Read)
	e := edit{Edit: judge.Edit{Change: server.Change{Value: r.Value}, Write: r.Write}, group: group, key: entryKey(group, r.Name), modified: r.Modified}
	v := verdict{Verdict: judge.Verdict{Changes: true, Owner: r.Owner}}
	if b := t.entries.Get(e.key); b != nil {
		now, _, err := parseEntry(b)
		if err != nil {
			return err
		}
		if !now.modified.Before(r.Modified) {
			did.Kept++
			return t.born(group)
		}
		did.Replaced++
		v.last = now.revision
	} else {
		if was := t.removed.Get(e.key); was != nil {
			if !r.Modified.After(changed) {
				did.Kept++
				return nil
			}
			if v.last, err = parseRevision(was); err != nil {
				return err
			}
		}
		did.Added++
	}
	t.revision = revision
	return t.make(e, v, revision)
}
