package etcd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/comet/server/internal/judge"
)

// unfinished is what the format of a store begins with while a first import goes on. Behind it stands whose import that is.
const unfinished = formatPrefix + "importing-"

// What keeps an import, or heads, out of a store.
var (
	ErrUnfinished = errors.New("an import into the store was not finished; run it again")
	ErrHasKey     = errors.New("the store is empty but has a key of its own, and heads may be running on it; import below another prefix")
)

// maxPart is how many bytes of values one transaction of an import takes; etcd's limit for a request is 1.5 MiB.
const maxPart = 1 << 20

// Import puts the entries of an export into the store at a URL. Where there is nothing below the prefix yet it makes the store, with
// the key of the export: heads refuse it, with ErrUnfinished, until all entries are there, and an import that did not end well is
// begun again by the next. A store that is there must have that key, or the error is contents.ErrOtherKey or ErrHasKey; it gets
// the entries part by part, which heads on it see, and where that is broken off it can be repeated. Entries that are newer in the
// store stay. All that the export is about is renewed: heads that know the expiry begin its age anew.
func Import(ctx context.Context, url string, from *contents.File, options ...Option) (contents.Imported, error) {
	s, err := connect(ctx, url, options)
	if err != nil {
		return contents.Imported{}, err
	}
	defer s.client.Close()
	s.ages.expiry = 0 // ages are begun by heads
	did, err := s.takeIn(ctx, from)
	if err != nil {
		return did, s.failed("import", err)
	}
	return did, nil
}

func (s *Store) takeIn(ctx context.Context, from *contents.File) (contents.Imported, error) {
	r, _, err := s.do(ctx, s.lookAtMeta())
	if err != nil {
		return contents.Imported{}, certain(err)
	}
	meta := r.Txn()
	if format := formatIn(meta); nothing(meta) || strings.HasPrefix(format, unfinished) {
		return s.importNew(ctx, from, format)
	}
	if err := s.parseMeta(meta); err != nil {
		return contents.Imported{}, err
	}
	if s.digests.Equal(from.Key) {
		return s.importInto(ctx, from)
	}
	r, _, err = s.do(ctx, clientv3.OpGet(s.key(entriesKeys), clientv3.WithPrefix(), clientv3.WithCountOnly()))
	switch {
	case err != nil:
		return contents.Imported{}, certain(err)
	case r.Get().Count == 0:
		return contents.Imported{}, ErrHasKey
	}
	return contents.Imported{}, fmt.Errorf("the store %w", contents.ErrOtherKey)
}

func formatIn(meta *clientv3.TxnResponse) string {
	for _, kv := range meta.Responses[0].GetResponseRange().Kvs {
		return string(kv.Value)
	}
	return ""
}

var errOvertaken = errors.New("somebody else has made the store, or imports into it")

// importNew makes a store that nobody sees before its format is the right one. before is what an earlier import has left there.
func (s *Store) importNew(ctx context.Context, from *contents.File, before string) (did contents.Imported, err error) {
	mine := unfinished + rand.Text()
	claim := clientv3.Compare(clientv3.CreateRevision(s.key(formatKey)), "=", 0)
	if before != "" {
		claim = clientv3.Compare(clientv3.Value(s.key(formatKey)), "=", before)
	}
	ops := []clientv3.Op{clientv3.OpPut(s.key(formatKey), mine)}
	for _, keys := range []string{entriesKeys, removedKeys, changedKeys} {
		ops = append(ops, clientv3.OpDelete(s.key(keys), clientv3.WithPrefix()))
	}
	still := clientv3.Compare(clientv3.Value(s.key(formatKey)), "=", mine)
	if err := s.make(ctx, claim, ops, still); err != nil {
		return did, err
	}
	err = inParts(ctx, from.All(), func(part []contents.Entry) error {
		did.Entries += len(part)
		return s.make(ctx, still, s.putAll(part), still)
	})
	if err != nil {
		return did, fmt.Errorf("%w; the store is not finished", err)
	}
	did.Added, did.Made = did.Entries, true
	finished := clientv3.Compare(clientv3.Value(s.key(formatKey)), "=", format)
	return did, s.make(ctx, still, []clientv3.Op{
		clientv3.OpPut(s.key(identityKey), rand.Text()),
		clientv3.OpPut(s.key(digestsKey), string(from.Key.Bytes())),
		clientv3.OpPut(s.key(formatKey), format),
	}, finished)
}

// make makes a transaction where demand holds. One that is sent again, because it was not answered, may find that it was made: then
// after holds.
func (s *Store) make(ctx context.Context, demand clientv3.Cmp, ops []clientv3.Op, after clientv3.Cmp) error {
	r, again, err := s.do(ctx, clientv3.OpTxn([]clientv3.Cmp{demand}, ops, nil))
	if err != nil || r.Txn().Succeeded {
		return certain(err)
	}
	if !again {
		return errOvertaken
	}
	r, _, err = s.do(ctx, clientv3.OpTxn([]clientv3.Cmp{after}, nil, nil))
	if err == nil && !r.Txn().Succeeded {
		err = errOvertaken
	}
	return certain(err)
}

// inParts hands entries on as many at a time as one transaction takes.
func inParts(ctx context.Context, from contents.Entries, do func([]contents.Entry) error) error {
	var part []contents.Entry
	bytes := 0
	for r, err := range from {
		if err == nil {
			err = done(ctx)
		}
		if err != nil {
			return fmt.Errorf("the export: %w", err)
		}
		if len(part) == MaxChanges || len(part) > 0 && bytes+len(r.Value) > maxPart {
			if err := do(part); err != nil {
				return err
			}
			part, bytes = part[:0], 0
		}
		part = append(part, r)
		bytes += len(r.Value)
	}
	if len(part) == 0 {
		return nil
	}
	return do(part)
}

// putAll puts entries that cannot be there.
func (s *Store) putAll(part []contents.Entry) (ops []clientv3.Op) {
	b := s.newBatch(nil)
	for _, r := range part {
		e := s.editOf(r)
		e.verdict.Changes = true
		b.edits = append(b.edits, e)
	}
	return b.writes()
}

// importInto changes a store that heads may be using.
func (s *Store) importInto(ctx context.Context, from *contents.File) (did contents.Imported, err error) {
	err = inParts(ctx, from.All(), func(part []contents.Entry) error { return s.merge(ctx, part, &did) })
	if err != nil && did.Added+did.Replaced > 0 {
		err = fmt.Errorf("%w; %d entries were imported, and a repeat goes on", err, did.Added+did.Replaced)
	}
	return did, err
}

// merge begins again when a head was faster.
func (s *Store) merge(ctx context.Context, part []contents.Entry, did *contents.Imported) error {
	b := s.newBatch(nil)
	for _, r := range part {
		b.edits = append(b.edits, s.editOf(r))
	}
	for wait := conflictPause; wait <= longestPause; wait *= 2 {
		if _, _, err := s.do(ctx, b.ageless()); err != nil { // also what stays as it is lives anew
			return certain(err)
		}
		now, _, err := s.do(ctx, b.look())
		if err != nil {
			return certain(err)
		}
		made, err := b.compare(s, now.Txn())
		if err != nil {
			return err
		}
		if b.changes {
			r, _, err := s.do(ctx, b.transaction())
			if err != nil {
				return certain(err)
			}
			if !r.Txn().Succeeded {
				if !pause(ctx, wait) {
					return context.Cause(ctx)
				}
				continue
			}
		}
		did.Entries += made.Entries
		did.Added += made.Added
		did.Replaced += made.Replaced
		did.Kept += made.Kept
		return nil
	}
	return errors.New("heads change the same entries all the time")
}

// compare decides by what a look brought: what is older in the store is replaced.
func (b *batch) compare(s *Store, now *clientv3.TxnResponse) (did contents.Imported, err error) {
	b.changes = false
	for i := range b.edits {
		e := &b.edits[i]
		if err := e.look(s, now, i); err != nil {
			return did, err
		}
		did.Entries++
		e.verdict = judge.Verdict{Creates: !e.found.There, Changes: true, Owner: e.Owner}
		switch {
		case !e.found.There:
			did.Added++
		case e.wasModified.Before(e.modified):
			did.Replaced++
		default:
			did.Kept++
			e.verdict.Changes = false
		}
		b.changes = b.changes || e.verdict.Changes
	}
	return did, nil
}

// editOf is the entry as the store would write it.
func (s *Store) editOf(r contents.Entry) edit {
	e := s.newEdit(judge.Edit{Change: server.Change{Name: r.Name, Value: r.Value, Owner: r.Owner}, Read: r.Read, Write: r.Write})
	e.modified, e.verdict.Owner = r.Modified, r.Owner
	return e
}
