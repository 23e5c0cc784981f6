package bolt

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/scope"
)

// format is what a file of this layout says of itself. Another layout has another number after the slash.
const (
	formatPrefix = "comet/"
	format       = formatPrefix + "1"
)

// The file's tables, each one of bbolt's. Numbers are big endian, lengths two bytes.
var (
	tableMeta = []byte("meta")

	// (context, read digest, family, key) -> entry. What one read token shows in a context is one range, and one family in it too.
	tableEntries = []byte("entries")

	// The same key -> revision of the removal. A name that comes back leaves this table.
	tableRemoved = []byte("removed")

	// (context, read digest, revision, family, key) -> kind of change. Each name that ever was has one row, its newest, so that
	// what changed or went away since a revision is one range.
	tableChanges = []byte("changes")
)

// Keys of the table meta.
var (
	metaFormat   = []byte("format")
	metaIdentity = []byte("identity")
	metaDigests  = []byte("digests")  // the key of the digests
	metaRevision = []byte("revision") // the newest one given out
)

// Kinds of change.
var (
	changePut    = []byte{1}
	changeRemove = []byte{2}
)

// groupKey is the range of what one read token shows in a context.
func groupKey(id scope.ContextID, read digest.Digest) []byte {
	return append(appendText(nil, id.String()), read[:]...)
}

func familyKey(group []byte, f scope.Family) []byte {
	return appendText(group[:len(group):len(group)], f.String())
}

func entryKey(group []byte, n scope.Name) []byte {
	return appendText(familyKey(group, n.Family), n.Key.String())
}

// changeKey is the row of the changes for the entry at key, whose group is the first part of key.
func changeKey(group, key []byte, revision uint64) []byte {
	row := make([]byte, 0, len(key)+8)
	row = append(row, group...)
	row = binary.BigEndian.AppendUint64(row, revision)
	return append(row, key[len(group):]...)
}

// appendText adds a text after its length. Names have at most scope.MaxNameLen bytes, far below what two bytes can say.
func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func cutText(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	end := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < end {
		return "", nil, false
	}
	return string(b[2:end]), b[end:], true
}

var errDamaged = errors.New("an entry in the file is damaged")

// parseName reads the family and the key that follow the group in an entry's key.
func parseName(id scope.ContextID, afterGroup []byte) (scope.Name, error) {
	family, rest, ok := cutText(afterGroup)
	if !ok {
		return scope.Name{}, errDamaged
	}
	key, rest, ok := cutText(rest)
	if !ok || len(rest) > 0 {
		return scope.Name{}, errDamaged
	}
	f, err := scope.ParseFamily(family)
	if err != nil {
		return scope.Name{}, errDamaged
	}
	k, err := scope.ParseKey(key)
	if err != nil {
		return scope.Name{}, errDamaged
	}
	return scope.Name{Context: id, Family: f, Key: k}, nil
}

// entry is what stands in the file for one, in front of its value: the number of its encoding (1), the digest of the write
// token, the revision, and the time in milliseconds since 1970. With an owner the encoding is 2, and the owner follows as a text.
type entry struct {
	write    digest.Digest
	revision uint64
	modified time.Time
	owner    string // may be empty
}

const (
	entryEncoding = 1
	ownedEncoding = 2
	entryFront    = 1 + digest.Size + 8 + 8 // without the owner
)

func (e entry) encode(value string) []byte {
	b := make([]byte, 0, entryFront+2+len(e.owner)+len(value))
	b = append(b, entryEncoding)
	b = append(b, e.write[:]...)
	b = binary.BigEndian.AppendUint64(b, e.revision)
	b = binary.BigEndian.AppendUint64(b, uint64(e.modified.UnixMilli()))
	if e.owner != "" {
		b[0] = ownedEncoding
		b = appendText(b, e.owner)
	}
	return append(b, value...)
}

// parseEntry returns the entry and, only valid inside the transaction, the value behind it.
func parseEntry(b []byte) (e entry, value []byte, err error) {
	if len(b) < entryFront || b[0] != entryEncoding && b[0] != ownedEncoding {
		return entry{}, nil, errDamaged
	}
	millis := binary.BigEndian.Uint64(b[1+digest.Size+8:])
	if millis > math.MaxInt64 {
		return entry{}, nil, errDamaged
	}
	e = entry{
		write:    digest.Digest(b[1 : 1+digest.Size]),
		revision: binary.BigEndian.Uint64(b[1+digest.Size:]),
		modified: time.UnixMilli(int64(millis)).UTC(),
	}
	if value = b[entryFront:]; b[0] == ownedEncoding {
		var ok bool
		if e.owner, value, ok = cutText(value); !ok || e.owner == "" {
			return entry{}, nil, errDamaged
		}
	}
	return e, value, nil
}

// entryOf reads what stands for the name in the table of entries.
func entryOf(n scope.Name, b []byte) (server.Entry, error) {
	e, value, err := parseEntry(b)
	if err != nil {
		return server.Entry{}, err
	}
	return server.Entry{Name: n, Value: string(value), Revision: e.revision, Modified: e.modified}, nil
}

func encodeRevision(revision uint64) []byte { return binary.BigEndian.AppendUint64(nil, revision) }

func parseRevision(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, errDamaged
	}
	return binary.BigEndian.Uint64(b), nil
}
