package bolt

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
)

// edit is a change with all worked out that needs no transaction.
type edit struct {
	server.Change
	group, key []byte // of the entry; group is the first part of key
	write      digest.Digest
}

func (s *Store) prepare(changes []server.Change) ([]edit, error) {
	edits := make([]edit, len(changes))
	seen := make(map[string]bool, len(changes))
	for i, c := range changes {
		if c.Name.IsZero() || c.Tokens.Read.IsZero() || c.Tokens.Write.IsZero() {
			return nil, &server.ChangeError{Index: i, Err: errors.New("the name or a token is missing")}
		}
		group := groupKey(c.Name.Context, s.digests.Read(c.Name.Context, c.Tokens.Read))
		key := entryKey(group, c.Name)
		if seen[string(key)] {
			return nil, &server.ChangeError{Index: i, Err: errors.New("the same entry is changed twice")}
		}
		seen[string(key)] = true
		edits[i] = edit{Change: c, group: group, key: key, write: s.digests.Write(c.Name.Context, c.Tokens.Write)}
	}
	return edits, nil
}

// transaction makes batches in one bbolt transaction. A later batch sees what an earlier one did.
type transaction struct {
	meta, entries, removed, changes *bbolt.Bucket
	before, revision                uint64 // the newest revision, at the beginning and now
	now                             time.Time
}

func begin(tx *bbolt.Tx) (*transaction, error) {
	t := &transaction{
		meta:    tx.Bucket(bucketMeta),
		entries: tx.Bucket(bucketEntries),
		removed: tx.Bucket(bucketRemoved),
		changes: tx.Bucket(bucketChanges),
		now:     time.Now(),
	}
	var err error
	t.before, err = parseRevision(t.meta.Get(metaRevision))
	t.revision = t.before
	return t, err
}

func (t *transaction) end() error {
	if t.revision == t.before {
		return errNothing
	}
	return t.meta.Put(metaRevision, encodeRevision(t.revision))
}

// batch judges all changes of one request and then makes all or none. An error is one of the file, and the end of the whole
// transaction; that a request is refused is in its outcome.
func (t *transaction) batch(r *request) (outcome, error) {
	if err := done(r.ctx); err != nil {
		return outcome{err: err}, nil // nobody waits for it any more
	}
	verdicts := make([]verdict, len(r.edits))
	results := make([]server.Result, len(r.edits))
	next := t.revision
	for i, e := range r.edits {
		var err error
		if verdicts[i], err = t.judge(e); err != nil {
			return outcome{err: &server.ChangeError{Index: i, Err: err}}, nil
		}
		if verdicts[i].changes {
			next = t.revision + 1
		}
	}
	for i, e := range r.edits {
		if err := t.make(e, verdicts[i], next); err != nil {
			return outcome{}, fmt.Errorf("change the file: %w", err)
		}
		results[i] = verdicts[i].result(next)
	}
	t.revision = next
	return outcome{results: results}, nil
}

// verdict is what an allowed change will do.
type verdict struct {
	creates, changes bool
	last             uint64 // revision of what was last done to this name; 0 where nothing ever was
}

func (v verdict) result(next uint64) server.Result {
	if !v.changes {
		return server.Result{Revision: v.last}
	}
	return server.Result{Created: v.creates, Changed: true, Revision: next}
}

// judge decides on one change by what is in the file now.
func (t *transaction) judge(e edit) (verdict, error) {
	b := t.entries.Get(e.key)
	if b == nil {
		return t.judgeAbsent(e)
	}
	r, value, err := parseRecord(b)
	switch {
	case err != nil:
		return verdict{}, err
	case e.IfAbsent: // who may read the entry may know that it is there, whatever the write token
		return verdict{}, server.ErrCondition
	case !r.write.Equal(e.write):
		return verdict{}, server.ErrWriteToken
	case e.IfRevision != 0 && e.IfRevision != r.revision:
		return verdict{}, server.ErrCondition
	}
	return verdict{changes: e.Delete || string(value) != e.Value, last: r.revision}, nil
}

func (t *transaction) judgeAbsent(e edit) (verdict, error) {
	switch {
	case e.Delete:
		return verdict{}, server.ErrNoEntry
	case e.IfRevision != 0:
		return verdict{}, server.ErrCondition
	case !e.MayCreate:
		return verdict{}, server.ErrMayNotCreate
	}
	v := verdict{creates: true, changes: true}
	if was := t.removed.Get(e.key); was != nil {
		var err error
		if v.last, err = parseRevision(was); err != nil {
			return verdict{}, err
		}
	}
	return v, nil
}

// make writes what was judged.
func (t *transaction) make(e edit, v verdict, revision uint64) error {
	if !v.changes {
		return nil
	}
	kind := changePut
	var err error
	if e.Delete {
		kind = changeRemove
		err = errors.Join(t.entries.Delete(e.key), t.removed.Put(e.key, encodeRevision(revision)))
	} else {
		r := record{write: e.write, revision: revision, modified: t.now}
		err = errors.Join(t.entries.Put(e.key, r.encode(e.Value)), t.removed.Delete(e.key))
	}
	return errors.Join(err,
		t.changes.Delete(changeKey(e.group, e.key, v.last)),
		t.changes.Put(changeKey(e.group, e.key, revision), kind))
}
