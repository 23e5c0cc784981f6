package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

const shell = "/bin/sh"

// marking runs a mkfs and leaves a mark where that has ended well, so that whatever becomes of the guest the next one knows. Its arguments
// are the file of the mark, the UUID of the file system, the disk, and the command. Where there is that mark, it does nothing: the lock
// was held by a mkfs that has made the file system.
const marking = `umask 077; mark=$1 uuid=$2 disk=$3; shift 3; ` +
	`[ ! -e "$mark" ] || [ "$(cat "$mark")" != "$uuid" ] || exit 0; ` +
	`"$@" && sync "$disk" && echo "$uuid" >"$mark.new" && sync "$mark.new" && mv "$mark.new" "$mark"`

// markFile is that of a disk, in its folder of the state.
func markFile(d device) string { return d.Name + ".made" }

// marked reports whether the mkfs of the file system that the ledger has for a disk has ended well.
func marked(m *frame.Machine, d device) bool {
	text, err := m.Read(m.State(folder+markFile(d)), true)
	return err == nil && d.UUID != "" && strings.TrimSpace(string(text)) == d.UUID
}

// ended notes a mkfs that has ended well. The guest that has started it may be closed by then, and another one at work.
func (s *Storage) ended(d device, k disk) error {
	m, err := frame.Open(s.machine.Root().Name(), s.machine.Instance(), s.machine.Log)
	if err != nil {
		return err
	}
	defer m.Close()
	if !marked(m, d) {
		return nil // it was cut short
	}
	return s.finish(m, d, k)
}

// finish notes that a disk has the file system that was begun on it, unless the ledger tells of another one by now, or of none.
func (s *Storage) finish(m *frame.Machine, d device, k disk) error {
	c, err := s.whole(d, k)
	if errors.Is(err, errNothing) {
		return errors.Join(err, m.Root().Remove(m.State(folder+markFile(d))))
	}
	if err != nil {
		return err
	}
	return rewrite(m, func(l *ledger) {
		for i, have := range l.Devices {
			if have.same(d) && have.State == making && have.UUID == d.UUID {
				l.Devices[i].State, l.Devices[i].FSType = made, c.fsType
			}
		}
	})
}

var errNothing = errors.New("there is no such file system")

// whole makes sure that a mkfs that has ended well has made what it was to make, and that it is on the disk.
func (s *Storage) whole(d device, k disk) (*content, error) {
	c, err := s.probe(context.Background(), k)
	if err == nil && (c == nil || c.uuid != d.UUID) {
		err = errNothing
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(k.path)
	if err != nil {
		return nil, err
	}
	return c, errors.Join(f.Sync(), f.Close())
}

var errUsed = errors.New("was mounted since its file system was begun")

// unused returns errUsed where the file system on a disk was ever mounted so that it could be written. Only those of ext tell; see struct
// ext4_super_block in the kernel's documentation.
func (k disk) unused() error {
	f, err := os.Open(k.path)
	if err != nil {
		return err
	}
	defer f.Close()
	const begin, mountTime, mountCount, magic, end = 1024, 0x2c, 0x34, 0x38, 0x3a
	var super [end]byte
	if _, err := f.ReadAt(super[:], begin); err != nil {
		return err
	}
	is := binary.LittleEndian.Uint16(super[magic:]) == 0xef53
	if is && (binary.LittleEndian.Uint32(super[mountTime:]) != 0 || binary.LittleEndian.Uint16(super[mountCount:]) != 0) {
		return errUsed
	}
	return nil
}
