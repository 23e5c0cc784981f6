package bolt

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server"
)

// crowds knows how many entries there are in the groups in which entries were created under a limit since the store was opened. It
// belongs to whoever has the one transaction that changes the file; a group is counted once.
type crowds map[string]int

// maxCrowds is how many groups are remembered before they are counted anew.
const maxCrowds = 10000

// in counts the entries of a group.
func (c crowds) in(entries *bbolt.Bucket, group []byte) int {
	n, known := c[string(group)]
	if known {
		return n
	}
	cursor := entries.Cursor()
	for k, _ := cursor.Seek(group); bytes.HasPrefix(k, group); k, _ = cursor.Next() {
		n++
	}
	if len(c) >= maxCrowds {
		clear(c)
	}
	c[string(group)] = n
	return n
}

// growth is by how much the groups grow in one batch.
type growth map[string]int

// add judges one more change of the batch.
func (g growth) add(t *transaction, e edit, v verdict) error {
	switch {
	case v.Creates:
		if e.Room > 0 && t.crowds.in(t.entries, e.group)+g[string(e.group)] >= e.Room {
			return server.ErrFull
		}
		g[string(e.group)]++
	case v.Changes && e.Delete:
		g[string(e.group)]--
	}
	return nil
}

// made says that the batch was made.
func (c crowds) made(g growth) {
	for group, n := range g {
		if _, known := c[group]; known {
			c[group] += n
		}
	}
}
