package etcd

import (
	"context"
	"io"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/comet/server/internal/judge"
	"github.com/renci-nrig/comet-go/scope"
)

var _ contents.Store = (*Store)(nil)

// walkPage is how many entries of up to 1 MiB come in one answer.
const walkPage = 64

// Export writes the entries of one revision. It takes many answers; where etcd compacts that revision meanwhile the export fails.
func (s *Store) Export(ctx context.Context, w io.Writer) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	h := contents.Header{Store: s.Identity(), Taken: time.Now().UTC().Truncate(time.Second), Key: s.digests}
	if err := contents.Write(ctx, w, h, s.allEntries(ctx)); err != nil {
		return s.failed("export", err)
	}
	return nil
}

// Groups looks at every entry.
func (s *Store) Groups(ctx context.Context) ([]contents.Group, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	groups, err := contents.Collect(ctx, s.allEntries(ctx))
	if err != nil {
		return nil, s.failed("look at all entries", err)
	}
	return groups, nil
}

// allEntries walks all entries of one revision.
func (s *Store) allEntries(ctx context.Context) contents.Entries {
	return func(yield func(contents.Entry, error) bool) {
		prefix := s.key(entriesKeys)
		err := s.walk(ctx, prefix, func(kv *mvccpb.KeyValue) (bool, error) {
			r, err := parseWhole(string(kv.Key[len(prefix):]), kv.Value)
			return err == nil && yield(r, nil), err
		})
		if err != nil {
			yield(contents.Entry{}, err)
		}
	}
}

// walk visits all keys of one revision with the prefix, until visit says that it is enough.
func (s *Store) walk(ctx context.Context, prefix string, visit func(*mvccpb.KeyValue) (more bool, err error)) error {
	after := clientv3.GetPrefixRangeEnd(prefix)
	for from, revision := prefix, int64(0); ; {
		r, _, err := s.do(ctx, clientv3.OpGet(from, clientv3.WithRange(after), clientv3.WithRev(revision), clientv3.WithLimit(walkPage)))
		if err != nil {
			return certain(err)
		}
		page := r.Get()
		for _, kv := range page.Kvs {
			if more, err := visit(kv); err != nil || !more {
				return err
			}
			from = string(kv.Key) + end // the next key that can be
		}
		if !page.More {
			return nil
		}
		if revision == 0 {
			revision = page.Header.Revision
		}
	}
}

// parseWhole reads an entry of which nothing is known but what its key holds behind the prefix.
func parseWhole(key string, value []byte) (contents.Entry, error) {
	id, read, afterGroup, err := cutGroup(key)
	if err != nil {
		return contents.Entry{}, err
	}
	name, err := parseName(id, afterGroup)
	if err != nil {
		return contents.Entry{}, err
	}
	r, text, err := parseEntry(value)
	return contents.Entry{Name: name, Read: read, Write: r.write, Value: string(text), Modified: r.modified, Owner: r.owner}, err
}

// cutGroup parses the group at the beginning of a key. Digests are any bytes, so it is not cut at the next end of a name.
func cutGroup(key string) (id scope.ContextID, read digest.Digest, afterGroup string, err error) {
	size := strings.Index(key, end) + len(end) + digest.Size
	if size > len(key) || !strings.Contains(key, end) {
		return id, read, "", errDamaged
	}
	id, read, err = parseGroup(key[:size])
	return id, read, key[size:], err
}

// Purge looks, and then removes as many entries at once as etcd takes; each transaction demands that its entries are as they were
// seen. Where a context comes to life meanwhile, it ends. Where the store ages, the removals go when what they are of would have expired.
func (s *Store) Purge(ctx context.Context, id scope.ContextID, unchangedSince time.Time) (removed int, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	for wait := conflictPause; wait <= longestPause; wait *= 2 {
		edits, err := s.oldEntries(ctx, id, unchangedSince)
		if err != nil {
			return removed, s.failed("purge", err)
		}
		n, whole, err := s.removeAll(ctx, edits)
		removed += n
		if err != nil {
			return removed, s.failed("purge", err)
		}
		if whole || !pause(ctx, wait) {
			break
		}
	}
	return removed, done(ctx)
}

// oldEntries are the removals of all entries of a context, or of none where any is newer.
func (s *Store) oldEntries(ctx context.Context, id scope.ContextID, unchangedSince time.Time) (edits []edit, err error) {
	prefix := s.key(entriesKeys)
	err = s.walk(ctx, prefix+id.String()+end, func(kv *mvccpb.KeyValue) (bool, error) {
		r, err := parseWhole(string(kv.Key[len(prefix):]), kv.Value)
		if err != nil {
			return false, err
		}
		if r.Modified.After(unchangedSince) {
			edits = nil
			return false, nil
		}
		e := s.newEdit(judge.Edit{Change: server.Change{Name: r.Name, Delete: true}, Read: r.Read, Write: r.Write})
		e.found.There, e.etcds, e.verdict.Changes = true, kv.ModRevision, true
		edits = append(edits, e)
		return true, nil
	})
	return edits, err
}

// removeAll is not whole where one of the entries is not as it was seen any more.
func (s *Store) removeAll(ctx context.Context, edits []edit) (removed int, whole bool, err error) {
	for len(edits) > 0 {
		part := edits[:min(len(edits), MaxChanges)]
		edits = edits[len(part):]
		b := s.newBatch(nil)
		b.edits, b.purges = part, true // what expires meanwhile is not as it was seen
		r, _, err := s.do(ctx, b.transaction())
		if err != nil {
			return removed, false, err
		}
		if !r.Txn().Succeeded {
			return removed, false, nil
		}
		removed += len(part)
	}
	return removed, true, nil
}
