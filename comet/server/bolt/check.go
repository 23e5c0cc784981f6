package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"runtime/debug"
)

// What is wrong with a file that Open refuses. The errors around them name the file.
var (
	ErrNotStore = errors.New("is not a store of cometd")
	ErrFormat   = errors.New("has a format that this version does not know")
	ErrDamaged  = errors.New("is truncated or damaged; restore it from a backup")
	ErrInUse    = errors.New("is in use by another process")
)

// guard turns what bbolt makes of damage that checkFile does not find, a panic or an access beyond the end of the file, into an
// error of the one call: "defer guard(&err)()".
func guard(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if p := recover(); p != nil {
			*err = fmt.Errorf("%w (%v)", ErrDamaged, p)
		}
	}
}

// bbolt maps the file into memory and trusts it: a page that lies beyond the end of a truncated file, or is not what it should be,
// kills the process. So the few pages that everything hangs on are looked at before bbolt sees the file. These are bbolt's own
// layout and numbers, in the byte order of the machine.
const (
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	pageHead     = 16 // id 8, flags 2, count 2, overflow 4
	metaSum      = 56 // where in a meta the checksum of all before it stands
	metaSize     = metaSum + 8
	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	noFreelist   = 1<<64 - 1 // of a file without one, which ours are not
	minPageSize  = 1 << 10
	maxPageSize  = 1 << 24
)

// boltMeta is one of the two pages that take turns in saying where everything is.
type boltMeta struct {
	pageSize              int64
	root, freelist, pages uint64
	transaction           uint64
}

// checkFile reports whether bbolt may open the file. The file is not locked yet, and a process that has it may change pages while
// we look: damage is what is found again and again.
func checkFile(f *os.File) (err error) {
	for range 3 {
		if err = checkOnce(f); !errors.Is(err, ErrDamaged) {
			return err
		}
	}
	return err
}

func checkOnce(f *os.File) error {
	m, err := newestMeta(f)
	if err != nil {
		return err
	}
	info, err := f.Stat() // after the meta was read: a file in use only grows
	if err != nil {
		return err
	}
	if m.freelist == noFreelist {
		return ErrNotStore
	}
	if m.pages > uint64(info.Size()/m.pageSize) || m.root >= m.pages || m.freelist >= m.pages {
		return ErrDamaged
	}
	if err := checkPage(f, m, m.root, branchPage, leafPage); err != nil {
		return err
	}
	return checkPage(f, m, m.freelist, freelistPage)
}

// newestMeta finds the meta that bbolt will use: of those in order the one of the later transaction.
func newestMeta(f *os.File) (boltMeta, error) {
	newest, err := readMeta(f, 0)
	foreign := errors.Is(err, ErrNotStore)
	found := err == nil
	for size := int64(minPageSize); size <= maxPageSize; size *= 2 {
		second, err := readMeta(f, size)
		if err == nil && second.pageSize == size && (!found || second.transaction > newest.transaction) {
			newest, found = second, true
		}
	}
	switch {
	case found:
		return newest, nil
	case foreign:
		return boltMeta{}, ErrNotStore
	}
	return boltMeta{}, ErrDamaged
}

func readMeta(f *os.File, offset int64) (boltMeta, error) {
	page := make([]byte, pageHead+metaSize)
	if n, err := f.ReadAt(page, offset); errors.Is(err, io.EOF) {
		if n > 0 && page[0] != 0 { // a store begins with page number 0
			return boltMeta{}, ErrNotStore
		}
		return boltMeta{}, ErrDamaged
	} else if err != nil {
		return boltMeta{}, err
	}
	b, u64 := page[pageHead:], binary.NativeEndian.Uint64
	if binary.NativeEndian.Uint32(b) != boltMagic || binary.NativeEndian.Uint32(b[4:]) != boltVersion {
		return boltMeta{}, ErrNotStore
	}
	sum := fnv.New64a()
	sum.Write(b[:metaSum])
	m := boltMeta{
		pageSize:    int64(binary.NativeEndian.Uint32(b[8:])),
		root:        u64(b[16:]),
		freelist:    u64(b[32:]),
		pages:       u64(b[40:]),
		transaction: u64(b[48:]),
	}
	if sum.Sum64() != u64(b[metaSum:]) || m.pageSize < minPageSize || m.pageSize > maxPageSize {
		return boltMeta{}, ErrDamaged
	}
	return m, nil
}

// checkPage reports whether the page calls itself id and is of one of the kinds.
func checkPage(f *os.File, m boltMeta, id uint64, kinds ...uint16) error {
	head := make([]byte, pageHead)
	if _, err := f.ReadAt(head, int64(id)*m.pageSize); err != nil {
		return fmt.Errorf("%w (page %d: %v)", ErrDamaged, id, err)
	}
	overflow := uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head) != id || id+overflow >= m.pages {
		return ErrDamaged
	}
	for _, kind := range kinds {
		if binary.NativeEndian.Uint16(head[8:]) == kind {
			return nil
		}
	}
	return ErrDamaged
}
