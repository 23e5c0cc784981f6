package storage

import (
	"context"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// ledger is what the guest remembers of its own doing. It is synced before whatever it tells of.
type ledger struct {
	Initiator string   `json:"initiator,omitempty"` // the name under which iscsid runs
	Devices   []device `json:"devices,omitempty"`
}

// device is what became of one disk. It never holds a secret.
type device struct {
	Name      string         `json:"name"`
	Portal    netip.AddrPort `json:"portal"`
	LUN       int            `json:"lun"`
	Targets   []string       `json:"targets,omitempty"`   // that may have the disk: once it is known which one, that alone
	Logins    []string       `json:"logins,omitempty"`    // those of them that the guest has logged in to, or was about to
	NotAtBoot []string       `json:"notAtBoot,omitempty"` // those of the logins that the next boot does not make

	State  state  `json:"state,omitempty"`
	UUID   string `json:"uuid,omitempty"` // of the file system that is there, or that is being made
	FSType string `json:"fsType,omitempty"`
	Link   string `json:"link,omitempty"` // the disk as it was when its file system was made or found
	Size   int64  `json:"size,omitempty"` // in bytes
	WWID   string `json:"wwid,omitempty"`
}

type state string

const (
	making state = "making" // or about to be
	made   state = "made"   // by the guest
	found  state = "found"  // it was there before
)

func (d device) same(other device) bool {
	return d.Name == other.Name && d.Portal == other.Portal && d.LUN == other.LUN
}

// matches reports whether a disk is the one that the ledger tells of.
func (d device) matches(k disk) bool { return d.Link == k.link && d.Size == k.size && d.WWID == k.wwid }

const ledgerFile = "storage.json"

func (s *Storage) load() (l ledger, err error) {
	_, err = s.machine.Load(ledgerFile, &l)
	return l, err
}

// find returns what the ledger has on a disk, or the beginning of it.
func (l *ledger) find(o order) device {
	if i := slices.IndexFunc(l.Devices, o.same); i >= 0 {
		return l.Devices[i]
	}
	return device{Name: o.name, Portal: o.portal, LUN: o.lun}
}

// taken returns the targets of other orders that would be for the same disk but for them.
func (l *ledger) taken(o order, all []order) (targets []string) {
	for _, other := range all {
		if other.name != o.name && other.portal == o.portal && other.lun == o.lun {
			if d := l.find(other); len(d.Targets) == 1 {
				targets = append(targets, d.Targets[0])
			}
		}
	}
	return targets
}

// update changes the ledger on disk.
func (s *Storage) update(change func(*ledger)) error {
	if err := s.machine.MakeFolder(s.machine.State(""), 0o700); err != nil {
		return err
	}
	return rewrite(s.machine, change)
}

// rewrite changes a ledger while nobody else does: a mkfs may end, and be noted, while a step is made.
func rewrite(m *frame.Machine, change func(*ledger)) error {
	unlock, err := atomicfile.LockBelow(context.Background(), m.Root(), m.State("storage.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	var l ledger
	if _, err := m.Load(ledgerFile, &l); err != nil {
		return err
	}
	change(&l)
	return m.Save(ledgerFile, l)
}

// change changes what the ledger has on a disk, or the beginning of it.
func (s *Storage) change(d device, how func(*device)) error {
	return s.update(func(l *ledger) {
		i := slices.IndexFunc(l.Devices, d.same)
		if i < 0 {
			i, l.Devices = len(l.Devices), append(l.Devices, device{Name: d.Name, Portal: d.Portal, LUN: d.LUN})
		}
		how(&l.Devices[i])
	})
}

// save replaces what the ledger has on a disk.
func (s *Storage) save(d device) error { return s.change(d, func(have *device) { *have = d }) }

// saveLogins replaces what the ledger has on the way to a disk.
func (s *Storage) saveLogins(d device) error {
	return s.change(d, func(have *device) { have.Targets, have.Logins, have.NotAtBoot = d.Targets, d.Logins, d.NotAtBoot })
}

// note is the step that writes something into the ledger and does no more.
func (s *Storage) note(text string, d device) frame.Step {
	return frame.Step{Text: text, Of: d.Name, Do: func(context.Context) error { return s.save(d) }}
}

// handled reports whether older guest tools have handled a disk: they may have formatted it, and it may have been used since.
func (s *Storage) handled(o order) bool {
	info, err := s.machine.Root().Lstat(filepath.Join(s.OldState, "storage", o.name))
	return err == nil && info.Mode().IsRegular()
}
