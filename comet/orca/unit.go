package orca

import (
	"slices"

	"github.com/renci-nrig/comet-go/scope"
)

// Identity says which VM this is. Unset fields are empty.
type Identity struct {
	ActorID       string
	SliceID       scope.ContextID // the COMET context
	ReservationID scope.Key       // the VM's key in it
	UnitID        string
	Router        string // "true", "false" (in any case) or "user", which leaves forwarding alone
	InitiatorIQN  string // the iSCSI initiator's name; without it the VM has no storage
	SliceName     string
	UnitURL       string
	HostName      string // with - in place of the / of node groups
	ManagementIP  string
	PhysicalHost  string
	NovaID        string
}

// SliceAccess is a VM's part in the groups of its slice, as the controller records it.
type SliceAccess struct {
	Tokens                    scope.Tokens // the read token is the slice's, the write token the VM's own
	HostsRead, HostsWrite     []string     // groups; none where the VM takes no part
	PubKeysRead, PubKeysWrite []string
}

// Properties returns the six properties that record this in a VM's unit properties, in the order of the data model; those that
// are unset are left out.
func (a SliceAccess) Properties() []KeyValue {
	var list []KeyValue
	u := UserData{Slice: a}
	for _, f := range sliceFields {
		if v := f.get(&u); v != "" {
			list = append(list, KeyValue{Key: f.property, Value: scope.Hide(v)})
		}
	}
	return list
}

// IsSliceProperty tells whether a property is one of the six that SliceAccess.Properties may return.
func IsSliceProperty(key string) bool {
	return slices.ContainsFunc(sliceFields, func(f field) bool { return f.property == key })
}

// Unit is what a VM's unit properties say of its identity and its tokens. What they say of users, interfaces, storage, routes and
// scripts is for the aggregate manager to take from them.
type Unit struct {
	Identity
	Tokens scope.Tokens // of the VM's own entries; zero until the aggregate manager has made and saved them
	Slice  SliceAccess
}

// The properties under which an aggregate manager saves a VM's own tokens. They are also found without the prefix shirako.save.
const (
	PropertyReadToken  = "shirako.save.unit.comet.readToken"
	PropertyWriteToken = "shirako.save.unit.comet.writeToken"
)

// NewUnit reads a VM's unit properties. A slice ID, reservation ID or token that cannot be one is a *LineError.
func NewUnit(p Properties) (Unit, error) {
	var u UserData
	for _, f := range join(identityFields, sliceFields) {
		if err := f.setField(&u, p.Text(f.property)); err != nil {
			return Unit{}, p.Errorf(f.property, "%v", err)
		}
	}
	unit := Unit{Identity: u.Identity, Slice: u.Slice}
	var err error
	if unit.Tokens.Read, err = savedToken(p, PropertyReadToken, "unit.comet.readToken"); err != nil {
		return Unit{}, err
	}
	if unit.Tokens.Write, err = savedToken(p, PropertyWriteToken, "unit.comet.writeToken"); err != nil {
		return Unit{}, err
	}
	return unit, nil
}

// savedToken takes the first of the keys that is set.
func savedToken(p Properties, keys ...string) (scope.Token, error) {
	for _, key := range keys {
		if v := p.Text(key); v != "" {
			t, err := scope.ParseToken(v)
			if err != nil {
				return scope.Token{}, p.Errorf(key, "%v", reason(err))
			}
			return t, nil
		}
	}
	return scope.Token{}, nil
}
