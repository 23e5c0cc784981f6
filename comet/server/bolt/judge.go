package bolt

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/judge"
	"github.com/renci-nrig/comet-go/comet/server/internal/wake"
)

// edit is a change with all worked out that needs no transaction.
type edit struct {
	judge.Edit
	group, key []byte     // of the entry; group is the first part of key
	topic      wake.Topic // of who waits for it
	modified   time.Time  // zero: now
}

func (s *Store) prepare(changes []server.Change) ([]edit, error) {
	judged, err := judge.Edits(s.digests, changes)
	if err != nil {
		return nil, err
	}
	edits := make([]edit, len(judged))
	for i, e := range judged {
		group := groupKey(e.Name.Context, e.Read)
		edits[i] = edit{
			Edit:  e,
			group: group,
			key:   entryKey(group, e.Name),
			topic: wake.Topic{Context: e.Name.Context, Read: e.Read, Family: e.Name.Family},
		}
	}
	return edits, nil
}

// transaction makes batches in one bbolt transaction. A later batch sees what an earlier one did.
type transaction struct {
	meta, entries, removed, changes *bbolt.Bucket
	before, revision                uint64 // the newest revision, at the beginning and now
	at                              moment
	crowds                          crowds

	tx      *bbolt.Tx
	ageing  ageing
	renewed bool     // something was
	gone    [][]byte // groups that expired
}

func begin(tx *bbolt.Tx, at moment) (*transaction, error) {
	t := &transaction{
		tx:      tx,
		meta:    tx.Bucket(tableMeta),
		entries: tx.Bucket(tableEntries),
		removed: tx.Bucket(tableRemoved),
		changes: tx.Bucket(tableChanges),
		at:      at,
	}
	var err error
	t.before, err = parseRevision(t.meta.Get(metaRevision))
	t.revision = t.before
	return t, err
}

func (t *transaction) end() error {
	switch {
	case t.revision == t.before && t.renewed:
		return nil
	case t.revision == t.before:
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
	for _, g := range r.groups {
		if err := t.age(g); err != nil {
			return outcome{}, fmt.Errorf("change the file: %w", err)
		}
	}
	verdicts := make([]verdict, len(r.edits))
	results := make([]server.Result, len(r.edits))
	next, grows := t.revision, growth{}
	for i, e := range r.edits {
		var err error
		if verdicts[i], err = t.judge(e); err != nil {
			return outcome{err: &server.ChangeError{Index: i, Err: err}}, nil
		}
		if err := grows.add(t, e, verdicts[i]); err != nil {
			return outcome{err: &server.ChangeError{Index: i, Err: err}}, nil
		}
		if verdicts[i].Changes {
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
	t.crowds.made(grows)
	return outcome{results: results}, nil
}

// verdict is what an allowed change will do.
type verdict struct {
	judge.Verdict
	last uint64 // revision of what was last done to this name; 0 where nothing ever was
}

func (v verdict) result(next uint64) server.Result {
	if !v.Changes {
		return server.Result{Revision: v.last}
	}
	return server.Result{Created: v.Creates, Changed: true, Revision: next}
}

// judge decides on one change by what is in the file now.
func (t *transaction) judge(e edit) (v verdict, err error) {
	var now judge.Found
	if b := t.entries.Get(e.key); b != nil {
		there, value, err := parseEntry(b)
		if err != nil {
			return verdict{}, err
		}
		now = judge.Found{There: true, Write: there.write, Owner: there.owner, Value: value, Revision: there.revision}
		v.last = there.revision
	} else if was := t.removed.Get(e.key); was != nil {
		if v.last, err = parseRevision(was); err != nil {
			return verdict{}, err
		}
	}
	v.Verdict, err = judge.Judge(e.Edit, now)
	return v, err
}

// make writes what was judged.
func (t *transaction) make(e edit, v verdict, revision uint64) error {
	if !v.Changes {
		return nil
	}
	kind := changePut
	var err error
	if e.Delete {
		kind = changeRemove
		err = errors.Join(t.entries.Delete(e.key), t.removed.Put(e.key, encodeRevision(revision)))
	} else {
		put := entry{write: e.Write, revision: revision, modified: t.at.now, owner: v.Owner}
		if !e.modified.IsZero() {
			put.modified = e.modified
		}
		err = errors.Join(t.entries.Put(e.key, put.encode(e.Value)), t.removed.Delete(e.key), t.born(e.group))
	}
	return errors.Join(err,
		t.changes.Delete(changeKey(e.group, e.key, v.last)),
		t.changes.Put(changeKey(e.group, e.key, revision), kind))
}
