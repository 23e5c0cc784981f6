package bolt

import (
	"bytes"
	"context"
	"time"

	"go.etcd.io/bbolt"
)

// How the store looks for what expired.
const (
	sweeps        = 20 // looks in the time of the expiry
	longestPause  = time.Hour
	shortestPause = time.Second
	sweepRows     = 10000 // looked at in one transaction
	sweepGroups   = 64    // changed in one
)

// viewGroup is view for what a read token shows in a context. Whoever looks renews it.
func (s *Store) viewGroup(ctx context.Context, g []byte, read func(*bbolt.Tx) error) error {
	var a age
	err := s.view(func(tx *bbolt.Tx) error {
		if a = s.ageing.of(tx, g, s.clock.look()); a == gone {
			return nil
		}
		return read(tx)
	})
	if err != nil || a == young {
		return err
	}
	err = s.age(ctx, g)
	switch {
	case a == old: // what was read stands: a disk that is full ends renewing, not reading
		return nil
	case err != nil:
		return err
	}
	return s.view(read)
}

// age renews or takes away the groups, in the transaction that comes next.
func (s *Store) age(ctx context.Context, groups ...[]byte) error {
	_, err := s.submit(&request{ctx: ctx, groups: groups, done: make(chan outcome, 1)})
	return err
}

// sweep looks for what expired, until the store is closed.
func (s *Store) sweep() {
	s.sweepOnce(s.groupsWithoutAge)
	pause := min(max(s.ageing.expiry/sweeps, shortestPause), longestPause)
	for timer := time.NewTimer(pause); ; timer.Reset(pause) {
		select {
		case <-s.closing:
			timer.Stop()
			return
		case <-timer.C:
			s.sweepOnce(s.groupsGone)
		}
	}
}

// sweepOnce ages what find finds, part by part.
func (s *Store) sweepOnce(find func(from []byte) (found [][]byte, next []byte, err error)) {
	for from := []byte{}; from != nil; {
		found, next, err := find(from)
		for len(found) > 0 && err == nil {
			n := min(len(found), sweepGroups)
			err = s.age(context.Background(), found[:n]...)
			found = found[n:]
		}
		if err != nil {
			return // closed, or broken; the next sweep tries again
		}
		from = next
	}
}

// groupsGone finds groups that expired.
func (s *Store) groupsGone(from []byte) (found [][]byte, next []byte, err error) {
	at := s.clock.look()
	err = s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(tableRenewed).Cursor()
		k, _ := c.Seek(from)
		for n := 0; k != nil && n < sweepRows; n++ {
			if s.ageing.of(tx, k, at) == gone {
				found = append(found, bytes.Clone(k))
			}
			k, _ = c.Next()
		}
		next = bytes.Clone(k)
		return nil
	})
	return found, next, err
}

// groupsWithoutAge finds groups from before there was ageing: nobody may ever look at them again.
func (s *Store) groupsWithoutAge(from []byte) (found [][]byte, next []byte, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(tableEntries).Cursor()
		k, _ := c.Seek(from)
		for n := 0; k != nil && n < sweepRows; n++ {
			_, _, afterGroup, err := parseGroup(k)
			if err != nil {
				return err
			}
			g := k[:len(k)-len(afterGroup)]
			if tx.Bucket(tableRenewed).Get(g) == nil {
				found = append(found, bytes.Clone(g))
			}
			k, _ = c.Seek(append(bytes.Clone(g), afterAll...))
		}
		next = bytes.Clone(k)
		return nil
	})
	return found, next, err
}
