package bolt

import (
	"bytes"
	"context"
	"errors"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/judge"
	"github.com/renci-nrig/comet-go/comet/server/internal/wake"
	"github.com/renci-nrig/comet-go/scope"
)

// Purge looks and removes in one transaction. Where the store ages, the removals go when what they are of would have expired.
func (s *Store) Purge(ctx context.Context, id scope.ContextID, unchangedSince time.Time) (int, error) {
	select {
	case <-s.closing:
		return 0, server.ErrClosed
	default:
	}
	if err := done(ctx); err != nil {
		return 0, err
	}
	var old []oldEntry
	err := s.update(func(tx *bbolt.Tx) (err error) {
		if old, err = oldEntries(tx, id, unchangedSince); err != nil {
			return err
		}
		for _, e := range old {
			delete(s.crowds, string(e.group)) // to be counted anew
		}
		return s.purge(tx, old)
	})
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return 0, server.ErrClosed
	} else if err != nil {
		return 0, err
	}
	topics := make([]wake.Topic, len(old))
	for i, e := range old {
		topics[i] = e.topic
	}
	s.watchers.Wake(topics...)
	return len(old), nil
}

type oldEntry struct {
	edit
	revision uint64
}

// oldEntries is all of a context, or nothing where any of it is newer.
func oldEntries(tx *bbolt.Tx, id scope.ContextID, unchangedSince time.Time) (old []oldEntry, err error) {
	prefix := appendText(nil, id.String())
	c := tx.Bucket(tableEntries).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		_, read, afterGroup, err := parseGroup(k)
		if err != nil {
			return nil, err
		}
		name, err := parseName(id, afterGroup)
		if err != nil {
			return nil, err
		}
		r, _, err := parseEntry(v)
		if err != nil {
			return nil, err
		}
		if r.modified.After(unchangedSince) {
			return nil, nil
		}
		key := bytes.Clone(k)
		e := edit{group: key[:len(key)-len(afterGroup)], key: key, topic: wake.Topic{Context: id, Read: read, Family: name.Family}}
		e.Delete = true
		old = append(old, oldEntry{e, r.revision})
	}
	return old, nil
}

func (s *Store) purge(tx *bbolt.Tx, old []oldEntry) error {
	t, err := begin(tx, s.clock.look())
	if err != nil {
		return err
	}
	for _, e := range old {
		t.revision = t.before + 1
		if err := t.make(e.edit, verdict{judge.Verdict{Changes: true}, e.revision}, t.revision); err != nil {
			return err
		}
	}
	return t.end()
}
