package controller

import (
	"slices"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Tokens are the tokens of one slice, and what they were made for, so that a slice can be looked after without its slice file. They
// print as [redacted].
type Tokens struct {
	SliceID   scope.ContextID
	Groups    []string                  // in which place-holders were put down
	VMs       []orca.VM                 // what they are called, and their types
	Withdrawn []orca.VM                 // that have left: their write tokens are kept, so that leaving may be repeated
	Read      scope.Token               // of the slice: who has it sees all VMs' entries
	Write     map[scope.Key]scope.Token // of each VM, by reservation ID
}

// newTokens makes a slice's read token, and as yet no write tokens.
func newTokens(id scope.ContextID, read scope.Token) Tokens {
	return Tokens{SliceID: id, Read: read, Write: map[scope.Key]scope.Token{}}
}

// Of returns the pair that belongs to a VM's entries.
func (t Tokens) Of(reservation scope.Key) scope.Tokens {
	return scope.Tokens{Read: t.Read, Write: t.Write[reservation]}
}

// Slice returns what a slice file would say, as far as it is known here.
func (t Tokens) Slice() orca.Slice { return orca.Slice{ID: t.SliceID, Groups: t.Groups, VMs: t.VMs} }

// cover takes in what is to be put down, makes the write tokens that are missing, and reports whether there was anything new.
func (t *Tokens) cover(s orca.Slice) (changed bool) {
	for _, group := range s.Groups {
		if !slices.Contains(t.Groups, group) {
			t.Groups, changed = append(t.Groups, group), true
		}
	}
	at := map[scope.Key]int{}
	for i, vm := range t.VMs {
		at[vm.ReservationID] = i
	}
	for _, vm := range s.VMs {
		if !vm.NeedsContext() {
			continue
		}
		if t.Write[vm.ReservationID].IsZero() {
			t.Write[vm.ReservationID], changed = scope.NewToken(), true
		}
		kept := orca.VM{HostName: vm.HostName, ReservationID: vm.ReservationID, Type: vm.Type}
		switch i, known := at[vm.ReservationID]; {
		case !known:
			at[vm.ReservationID] = len(t.VMs)
			t.VMs, changed = append(t.VMs, kept), true
		case t.VMs[i] != kept:
			t.VMs[i], changed = kept, true
		}
	}
	t.Withdrawn = slices.DeleteFunc(t.Withdrawn, func(vm orca.VM) bool { _, back := at[vm.ReservationID]; return back })
	return changed
}

// withdraw notes that VMs have left, and reports whether there were any.
func (t *Tokens) withdraw(goes func(scope.Key) bool) bool {
	left := len(t.Withdrawn)
	stays := t.VMs[:0:0]
	for _, vm := range t.VMs {
		if goes(vm.ReservationID) {
			t.Withdrawn = append(t.Withdrawn, vm)
		} else {
			stays = append(stays, vm)
		}
	}
	t.VMs = stays
	return len(t.Withdrawn) > left
}
