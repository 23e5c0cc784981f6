package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// State says how far an entry of a VM has come.
type State int

// The states of an entry.
const (
	Missing  State = iota // it is not there
	Waiting               // the place-holder is there, and the VM has not filled it in
	Reported              // the VM has filled it in
	Odd                   // what is there is not what a VM writes
)

func (s State) String() string { return [...]string{"missing", "waiting", "reported", "odd"}[s] }

// MarshalText gives the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// VMStatus is what the slice's read token shows of one VM.
type VMStatus struct {
	orca.VM
	Listed  bool       // it is one of the slice's VMs; else its entries alone are there
	Address netip.Addr // as the VM says; zero where it does not
	Entries []EntryStatus
}

// EntryStatus is one entry of a VM: of a host name or a public key, in one group.
type EntryStatus struct {
	Family   scope.Family
	State    State
	Modified time.Time // when it was last written; zero where the head does not say
}

// Reported tells whether the VM has filled in all of its entries. A LUN has no guest and never does.
func (v VMStatus) Reported() bool {
	return len(v.Entries) > 0 && !slices.ContainsFunc(v.Entries, func(e EntryStatus) bool { return e.State != Reported })
}

// Since returns when the last of its entries was written; zero where it has not reported, or the heads do not say.
func (v VMStatus) Since() (since time.Time) {
	if !v.Reported() {
		return time.Time{}
	}
	for _, e := range v.Entries {
		if e.Modified.IsZero() {
			return time.Time{}
		}
		if e.Modified.After(since) {
			since = e.Modified
		}
	}
	return since
}

// Show returns what stands of a slice, VM by VM: those of the slice first, in their order, then others that the slice's read token
// shows. Without a slice file, tokens.Slice() is the slice. Nothing at all is what a wrong token shows, too.
func (c *Controller) Show(ctx context.Context, s orca.Slice, tokens Tokens) ([]VMStatus, error) {
	if tokens.SliceID != s.ID {
		return nil, fmt.Errorf("show slice %s: the tokens are those of slice %s", s.ID, tokens.SliceID)
	}
	entries, err := c.shown(ctx, s.ID, tokens.Read)
	if err != nil {
		return nil, fmt.Errorf("show slice %s: %w", s.ID, err)
	}
	var all []VMStatus
	for _, vm := range s.VMs {
		if !vm.NeedsContext() {
			continue
		}
		status := VMStatus{VM: vm, Listed: true}
		items, err := c.ofVM(s, vm, scope.Tokens{})
		if err != nil {
			return nil, fmt.Errorf("show slice %s: %w", s.ID, err)
		}
		for _, expected := range items {
			status.add(expected.Name.Family, entries[expected.Name])
			delete(entries, expected.Name)
		}
		all = append(all, status)
	}
	return addOthers(all, entries), nil
}

// addOthers adds what is there and was not expected: in another group, or of another VM.
func addOthers(all []VMStatus, entries map[scope.Name]comet.Watched) []VMStatus {
	var names []scope.Name
	for name := range entries {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b scope.Name) int {
		return cmp.Or(strings.Compare(a.Key.String(), b.Key.String()), strings.Compare(a.Family.String(), b.Family.String()))
	})
	for _, name := range names {
		i := slices.IndexFunc(all, func(v VMStatus) bool { return v.ReservationID == name.Key })
		if i < 0 {
			i, all = len(all), append(all, VMStatus{VM: orca.VM{ReservationID: name.Key}})
		}
		all[i].add(name.Family, entries[name])
	}
	return all
}

// shown returns the entries of host names and public keys that the token shows.
func (c *Controller) shown(ctx context.Context, id scope.ContextID, read scope.Token) (map[scope.Name]comet.Watched, error) {
	entries, err := c.client.List(ctx, id, scope.Family{}, read)
	if err != nil {
		return nil, err
	}
	all := map[scope.Name]comet.Watched{}
	var families []scope.Family
	for _, e := range entries {
		if kind, group := e.Name.Family.Split(); group == "" || kind != scope.KindHosts && kind != scope.KindPubKeys {
			continue
		}
		all[e.Name] = comet.Watched{Entry: e}
		if !slices.Contains(families, e.Name.Family) {
			families = append(families, e.Name.Family)
		}
	}
	if len(families) > 0 {
		for _, w := range c.dated(ctx, comet.Watch{Context: id, Families: families, Read: []scope.Token{read}}) {
			if _, there := all[w.Name]; there {
				all[w.Name] = w
			}
		}
	}
	return all, nil
}

// errSeen ends a watch that has shown what there is.
var errSeen = errors.New("seen")

// dated returns the entries with the times at which they were written, where heads tell them: those that let others wait for changes do.
// The times are nice to have; without them it returns nothing.
func (c *Controller) dated(ctx context.Context, w comet.Watch) (all []comet.Watched) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.Failed = func(error) { cancel() }
	err := c.client.Watch(ctx, w, func(change comet.Change) error {
		all = change.Entries
		return errSeen
	})
	if !errors.Is(err, errSeen) {
		return nil
	}
	return all
}

// add adds an entry, which is zero where there is none.
func (v *VMStatus) add(family scope.Family, e comet.Watched) {
	status := EntryStatus{Family: family, Modified: e.Modified}
	switch {
	case e.Value == nil:
	case family.Kind() == scope.KindHosts:
		status.State = v.readHost(e.Value)
	default:
		status.State = stateOfKey(e.Value)
	}
	v.Entries = append(v.Entries, status)
}

// readHost takes the VM's name and address, which come from the VM: what is no name and no address is left out.
func (v *VMStatus) readHost(value []byte) State {
	hosts, err := scope.Decode[scope.Host](value)
	if err != nil {
		return Odd
	}
	state := Waiting
	for _, h := range hosts {
		if v.HostName == "" && scope.ValidHostName(h.HostName) == nil {
			v.HostName = scope.CanonicalHostName(h.HostName)
		}
		address, err := netip.ParseAddr(h.IP)
		switch {
		case h.IP == "":
		case err != nil:
			return Odd
		default:
			v.Address, state = address, Reported
		}
	}
	return state
}

func stateOfKey(value []byte) State {
	keys, err := scope.Decode[scope.PubKey](value)
	if err != nil {
		return Odd
	}
	if slices.ContainsFunc(keys, func(k scope.PubKey) bool { return k.ElementKey() != "" }) {
		return Reported
	}
	return Waiting
}
