package bolt

import (
	"bytes"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server/internal/wake"
)

// Ageing has two tables of its own, which a store without it does not read.
var (
	// (context, read digest) -> milliseconds since 1970 when it was renewed. A head without ageing drops it: nobody renews meanwhile.
	tableRenewed = []byte("renewed")

	// (context, read digest) -> revision in which all of it expired, for whoever comes with an older one. It is read by every store.
	tableExpired = []byte("expired")
)

// longestGrace is how long nothing expires after the store was opened or its clock was set, where the expiry is not shorter: while the
// head was down nobody could renew, and by a clock that was set nobody seems to have.
const longestGrace = time.Hour

// ageing is how old things may become. The zero value is for ever.
type ageing struct {
	expiry time.Duration
	kept   bool // by an operator's tool, which does not know the expiry
}

// age is how old a group is.
type age int

const (
	young age = iota // or there is nothing that could age
	old              // to be renewed by whoever looks at it
	gone             // expired, though maybe still in the file
)

// of tells the age of a group.
func (a ageing) of(tx *bbolt.Tx, g []byte, at moment) age {
	if a.expiry == 0 {
		return young
	}
	b := tx.Bucket(tableRenewed).Get(g)
	if len(b) != 8 {
		if (group{key: g}).empty(tx) {
			return young
		}
		return old // it was there before ageing was
	}
	renewed := time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	trusted := at.steady > min(a.expiry, longestGrace)
	switch past := at.now.Sub(renewed); {
	case past > 2*a.expiry && trusted:
		return gone
	case past > a.expiry, past < 0 && trusted: // by a clock that was set back since; or is behind, and will be set right
		return old
	}
	return young
}

// prepareAgeing makes the tables ready, or takes away what would be wrong later.
func (s *Store) prepareAgeing() error {
	if s.ageing.kept {
		return nil
	}
	return s.tryUpdate(func(tx *bbolt.Tx) error {
		if s.ageing.expiry == 0 {
			if tx.Bucket(tableRenewed) == nil {
				return errNothing
			}
			return tx.DeleteBucket(tableRenewed)
		}
		if tx.Bucket(tableRenewed) != nil && tx.Bucket(tableExpired) != nil {
			return errNothing
		}
		for _, name := range [][]byte{tableRenewed, tableExpired} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
}

// expired is the revision in which the group expired last, 0 where it never did.
func (g group) expired(tx *bbolt.Tx) (uint64, error) {
	table := tx.Bucket(tableExpired)
	if table == nil {
		return 0, nil
	}
	b := table.Get(g.key)
	if b == nil {
		return 0, nil
	}
	return parseRevision(b)
}

// age renews the group, or takes it away where it is too late for that.
func (t *transaction) age(g []byte) error {
	switch t.ageing.of(t.tx, g, t.at) {
	case old:
		return t.renew(g)
	case gone:
		return t.expire(g)
	}
	return nil
}

func (t *transaction) renew(g []byte) error {
	t.renewed = true
	return t.tx.Bucket(tableRenewed).Put(g, binary.BigEndian.AppendUint64(nil, uint64(t.at.now.UnixMilli())))
}

// born begins the age of a group in which something was written. Whoever does not know how old it may become begins it anew.
func (t *transaction) born(g []byte) error {
	renewed := t.tx.Bucket(tableRenewed)
	if renewed == nil || t.ageing.expiry > 0 && renewed.Get(g) != nil {
		return nil
	}
	return t.renew(g)
}

// expire takes away everything of the group, removals and changes too, under a revision of its own.
func (t *transaction) expire(g []byte) error {
	t.revision++
	for _, table := range []*bbolt.Bucket{t.entries, t.removed, t.changes} {
		if err := deleteAll(table, g); err != nil {
			return err
		}
	}
	if err := t.tx.Bucket(tableRenewed).Delete(g); err != nil {
		return err
	}
	delete(t.crowds, string(g))
	t.gone = append(t.gone, bytes.Clone(g))
	return t.tx.Bucket(tableExpired).Put(g, encodeRevision(t.revision))
}

func deleteAll(table *bbolt.Bucket, prefix []byte) error {
	var keys [][]byte
	c := table.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := table.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// wakeGone wakes whoever waits for what expired.
func (s *Store) wakeGone(groups [][]byte) {
	for _, g := range groups {
		if id, read, _, err := parseGroup(g); err == nil {
			s.watchers.WakeGroup(wake.Topic{Context: id, Read: read})
		}
	}
}
