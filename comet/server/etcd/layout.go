package etcd

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/scope"
)

// The keys below the prefix; doc.go says what is in them.
const (
	formatKey   = "format"
	identityKey = "identity"
	digestsKey  = "digests"
	entriesKeys = "entries/"
	removedKeys = "removed/"
	changedKeys = "changed/"
	leaseKeys   = "lease/"
	aliveKeys   = "alive/"
	expiredKeys = "expired/"
)

// format is what a store of this layout says of itself. Another layout has another number after the slash.
const (
	formatPrefix = "comet-etcd/"
	format       = formatPrefix + "1"
)

// end stands behind a name in a key.
const end = "\x00"

// group is the first part of the keys of all that one read token shows in a context.
func group(id scope.ContextID, read digest.Digest) string { return id.String() + end + string(read[:]) }

func afterGroup(f scope.Family, k scope.Key) string { return f.String() + end + k.String() }

var errDamaged = errors.New("a key or value is damaged, or not the store's")

// parseName reads what follows the group in an entry's key.
func parseName(id scope.ContextID, afterGroup string) (scope.Name, error) {
	family, key, ok := strings.Cut(afterGroup, end)
	if !ok {
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

// parseGroup reads a group back.
func parseGroup(s string) (scope.ContextID, digest.Digest, error) {
	context, read, ok := strings.Cut(s, end)
	if !ok || len(read) != digest.Size {
		return scope.ContextID{}, digest.Digest{}, errDamaged
	}
	id, err := scope.ParseContextID(context)
	if err != nil {
		return scope.ContextID{}, digest.Digest{}, errDamaged
	}
	return id, digest.Digest([]byte(read)), nil
}

// entry is what stands in front of an entry's value, and for a removal.
type entry struct {
	write       digest.Digest
	modified    time.Time
	transaction uint64 // random
	owner       string // may be empty
}

const (
	entryEncoding = 1
	ownedEncoding = 2
	entryFront    = 1 + digest.Size + 8 + 8 // without the owner
)

func (e entry) encode(value string) string {
	b := make([]byte, 0, entryFront+2+len(e.owner)+len(value))
	b = append(b, entryEncoding)
	b = append(b, e.write[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.modified.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, e.transaction)
	if e.owner != "" {
		b[0] = ownedEncoding
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(e.owner))), e.owner...)
	}
	return string(append(b, value...))
}

// parseEntry returns the entry and the value behind it, which is part of b.
func parseEntry(b []byte) (e entry, value []byte, err error) {
	if len(b) < entryFront || b[0] != entryEncoding && b[0] != ownedEncoding {
		return entry{}, nil, errDamaged
	}
	millis := binary.BigEndian.Uint64(b[1+digest.Size:])
	if millis > math.MaxInt64 {
		return entry{}, nil, errDamaged
	}
	e = entry{
		write:       digest.Digest(b[1 : 1+digest.Size]),
		modified:    time.UnixMilli(int64(millis)).UTC(),
		transaction: binary.BigEndian.Uint64(b[1+digest.Size+8:]),
	}
	if value = b[entryFront:]; b[0] == ownedEncoding {
		length := entryFront + 2
		if len(b) >= length {
			length += int(binary.BigEndian.Uint16(value))
		}
		if len(b) < length || length == entryFront+2 {
			return entry{}, nil, errDamaged
		}
		e.owner, value = string(b[entryFront+2:length]), b[length:]
	}
	return e, value, nil
}

// encodeFamilies is what stands for a group's newest change: the families in it, so that only their watchers wake.
func encodeFamilies(families []scope.Family) string {
	var b strings.Builder
	for _, f := range families {
		b.WriteString(f.String() + end)
	}
	return b.String()
}

func parseFamilies(b []byte) (families []scope.Family, err error) {
	for name := range strings.SplitAfterSeq(string(b), end) {
		if name == "" {
			break
		}
		f, err := scope.ParseFamily(strings.TrimSuffix(name, end))
		if err != nil || !strings.HasSuffix(name, end) {
			return nil, errDamaged
		}
		families = append(families, f)
	}
	return families, nil
}
