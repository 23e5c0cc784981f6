package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/scope"
)

// CheckFile looks at a file as Open does before it locks it.
func CheckFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return checkFile(f)
}

// BreakDisk makes every later write to the file fail.
func (s *Store) BreakDisk() { s.file.Close() }

// Changes lists the rows of the changes after a revision.
func (s *Store) Changes(id scope.ContextID, read scope.Token, since uint64) (rows []string) {
	group := groupKey(id, s.digests.Read(id, read))
	s.walk(tableChanges, group, binary.BigEndian.AppendUint64(group[:len(group):len(group)], since+1), func(k, v []byte) {
		n, err := parseName(id, k[8:])
		if err != nil {
			panic(err)
		}
		what := map[byte]string{1: "put", 2: "removed"}[v[0]]
		rows = append(rows, fmt.Sprintf("%d %s %s/%s", binary.BigEndian.Uint64(k), what, n.Family, n.Key))
	})
	return rows
}

// Removed lists the removals that are kept.
func (s *Store) Removed(id scope.ContextID, read scope.Token) (rows []string) {
	group := groupKey(id, s.digests.Read(id, read))
	s.walk(tableRemoved, group, group, func(k, v []byte) {
		n, err := parseName(id, k)
		if err != nil {
			panic(err)
		}
		rows = append(rows, fmt.Sprintf("%s/%s %d", n.Family, n.Key, binary.BigEndian.Uint64(v)))
	})
	return rows
}

func (s *Store) walk(table, group, from []byte, visit func(afterGroup, value []byte)) {
	err := s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(table).Cursor()
		for k, v := c.Seek(from); bytes.HasPrefix(k, group); k, v = c.Next() {
			visit(k[len(group):], v)
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
}

// Rows counts what is in a table.
func (s *Store) Rows(table string) (n int) {
	err := s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(table)).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		panic(err)
	}
	return n
}
