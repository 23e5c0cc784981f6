package etcd

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/judge"
	"github.com/renci-nrig/comet-go/scope"
)

// batch is changes on their way to etcd.
type batch struct {
	edits   []edit
	front   entry    // of all, but for the digest and the owner
	ages    bool     // the groups must be alive when it is made; else they must have no age
	purges  bool     // it only takes away what was seen, whatever its age
	crowded []string // prefixes of the entries of groups that have a limit
	changes bool     // at least one of them does
}

// edit is a change, where it happens, and what was found there.
type edit struct {
	judge.Edit
	at             shown
	entry, removal string    // keys
	modified       time.Time // zero: now

	found       judge.Found
	wasModified time.Time
	etcds       int64 // revision of the entry, 0 where there is none
	removedEtcd int64 // of its removal
	verdict     judge.Verdict
}

func (s *Store) newBatch(edits []judge.Edit) *batch {
	var number [8]byte
	rand.Read(number[:])
	b := &batch{
		edits: make([]edit, len(edits)),
		front: entry{modified: time.Now(), transaction: binary.BigEndian.Uint64(number[:])},
		ages:  s.ages.expiry > 0,
	}
	for i, e := range edits {
		b.edits[i] = s.newEdit(e)
		if at := b.edits[i].at; e.Room > 0 && e.MayCreate && !slices.Contains(b.crowded, at.entries) {
			b.crowded = append(b.crowded, at.entries)
		}
	}
	return b
}

func (s *Store) newEdit(e judge.Edit) edit {
	at, rest := s.showDigest(e.Name.Context, e.Read), afterGroup(e.Name.Family, e.Name.Key)
	return edit{Edit: e, at: at, entry: at.entries + rest, removal: at.removed + rest}
}

// look asks for everything that the batch depends on: an entry and its removal for each change, and how many entries there are in
// groups with a limit.
func (b *batch) look() clientv3.Op { return clientv3.OpTxn(nil, b.gets(), nil) }

func (b *batch) gets() []clientv3.Op {
	var gets []clientv3.Op
	for _, e := range b.edits {
		gets = append(gets, clientv3.OpGet(e.entry), clientv3.OpGet(e.removal))
	}
	for _, entries := range b.crowded {
		gets = append(gets, clientv3.OpGet(entries, clientv3.WithPrefix(), clientv3.WithCountOnly()))
	}
	return gets
}

// judge decides by what a look brought.
func (b *batch) judge(s *Store, got *clientv3.TxnResponse) error {
	b.changes = false
	count := map[string]int{} // of each group, as it becomes
	for i, entries := range b.crowded {
		count[entries] = int(got.Responses[2*len(b.edits)+i].GetResponseRange().Count)
	}
	for i := range b.edits {
		e := &b.edits[i]
		if err := e.look(s, got, i); err != nil {
			return err
		}
		var err error
		if e.verdict, err = judge.Judge(e.Edit, e.found); err != nil {
			return &server.ChangeError{Index: i, Err: err}
		}
		switch {
		case e.verdict.Creates && e.Room > 0 && count[e.at.entries] >= e.Room:
			return &server.ChangeError{Index: i, Err: server.ErrFull}
		case e.verdict.Creates:
			count[e.at.entries]++
		case e.verdict.Changes && e.Delete:
			count[e.at.entries]--
		}
		b.changes = b.changes || e.verdict.Changes
	}
	return nil
}

func (e *edit) look(s *Store, got *clientv3.TxnResponse, i int) error {
	e.found, e.wasModified, e.etcds, e.removedEtcd = judge.Found{}, time.Time{}, 0, 0
	for _, kv := range got.Responses[2*i+1].GetResponseRange().Kvs {
		e.removedEtcd = kv.ModRevision
	}
	for _, kv := range got.Responses[2*i].GetResponseRange().Kvs {
		there, value, err := parseEntry(kv.Value)
		if err != nil {
			return err
		}
		e.etcds, e.wasModified = kv.ModRevision, there.modified
		e.found = judge.Found{There: true, Write: there.write, Owner: there.owner, Value: value, Revision: s.revision(kv.ModRevision)}
	}
	return nil
}

// transaction makes what was judged, where all is still as it was then.
func (b *batch) transaction() clientv3.Op { return clientv3.OpTxn(b.demands(), b.writes(), nil) }

// check succeeds where all is still as it was judged, and looks where it is not.
func (b *batch) check() clientv3.Op { return clientv3.OpTxn(b.demands(), nil, b.gets()) }

func (b *batch) demands() (demands []clientv3.Cmp) {
	for _, e := range b.edits {
		demands = append(demands, e.demands()...)
	}
	if !b.purges {
		demands = append(demands, b.lives()...)
	}
	return demands
}

// writes is all that the batch changes.
func (b *batch) writes() (ops []clientv3.Op) {
	families := map[string][]scope.Family{} // of each group
	for _, e := range b.edits {
		if e.verdict.Changes {
			ops = append(ops, b.make(e)...)
			if of := families[e.at.changed]; !slices.Contains(of, e.Name.Family) {
				families[e.at.changed] = append(of, e.Name.Family)
			}
		}
	}
	for changed, of := range families {
		ops = append(ops, clientv3.OpPut(changed, encodeFamilies(of)))
	}
	return ops
}

// groups are those of the edits that are wanted, each once.
func (b *batch) groups(wanted func(edit) bool) (groups []shown) {
	for _, e := range b.edits {
		if wanted(e) && !slices.Contains(groups, e.at) {
			groups = append(groups, e.at)
		}
	}
	return groups
}

// lives are demands that nobody takes the groups away as expired: whoever does so demands the opposite. Who does not know the expiry
// cannot renew them and demands that they have no age, so that a new one begins after the change.
func (b *batch) lives() (demands []clientv3.Cmp) {
	for _, g := range b.groups(func(e edit) bool { return e.verdict.Changes }) {
		if b.ages {
			demands = append(demands, clientv3.Compare(clientv3.CreateRevision(g.alive), ">", 0))
		} else {
			demands = append(demands, clientv3.Compare(clientv3.CreateRevision(g.lease), "=", 0))
		}
	}
	return demands
}

// ageless makes what lives demands of who does not know the expiry. It is not among the writes, which take all the operations and bytes
// that etcd allows.
func (b *batch) ageless() clientv3.Op {
	var drops []clientv3.Op
	for _, g := range b.groups(func(edit) bool { return true }) {
		drops = append(drops, clientv3.OpDelete(g.lease))
	}
	return clientv3.OpTxn(nil, drops, nil)
}

// demands are that the entry is as it was found. One that was absent, came and went has left a removal.
func (e *edit) demands() []clientv3.Cmp {
	entry := clientv3.Compare(clientv3.ModRevision(e.entry), "=", e.etcds)
	removal := clientv3.Compare(clientv3.ModRevision(e.removal), "=", e.removedEtcd)
	switch {
	case e.found.There:
		return []clientv3.Cmp{entry}
	case e.removedEtcd != 0: // and is taken away by whoever makes the entry
		return []clientv3.Cmp{removal}
	}
	return []clientv3.Cmp{entry, removal}
}

func (b *batch) make(e edit) []clientv3.Op {
	front := b.front
	if e.Delete {
		return []clientv3.Op{clientv3.OpDelete(e.entry), clientv3.OpPut(e.removal, front.encode(""))}
	}
	front.write, front.owner = e.Write, e.verdict.Owner
	if !e.modified.IsZero() {
		front.modified = e.modified
	}
	ops := []clientv3.Op{clientv3.OpPut(e.entry, front.encode(e.Value))}
	if e.removedEtcd != 0 {
		ops = append(ops, clientv3.OpDelete(e.removal))
	}
	return ops
}

// madeIn returns the revision in which this batch was made, 0 where none of what it would have left is there.
func (b *batch) madeIn(s *Store, now *clientv3.TxnResponse) (uint64, error) {
	for i := range b.edits {
		for _, got := range now.Responses[2*i : 2*i+2] {
			for _, kv := range got.GetResponseRange().Kvs {
				there, _, err := parseEntry(kv.Value)
				if err != nil {
					return 0, err
				}
				if there.transaction == b.front.transaction {
					return s.revision(kv.ModRevision), nil
				}
			}
		}
	}
	return 0, nil
}

func (b *batch) results(revision uint64) []server.Result {
	results := make([]server.Result, len(b.edits))
	for i, e := range b.edits {
		results[i] = server.Result{Revision: e.found.Revision}
		if e.verdict.Changes {
			results[i] = server.Result{Created: e.verdict.Creates, Changed: true, Revision: revision}
		}
	}
	return results
}
