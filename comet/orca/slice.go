package orca

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/renci-nrig/comet-go/scope"
)

// Slice is a slice file: the VMs of one slice, for the controller, the aggregate manager and slice owners.
type Slice struct {
	ID     scope.ContextID `json:"sliceId"`
	Groups []string        `json:"groups"` // what the VMs take part in; the group "all" where the file names none
	VMs    []VM            `json:"vms"`
}

// VM is one VM of a slice file.
type VM struct {
	HostName      string    `json:"hostName"` // with - in place of the / of node groups
	ReservationID scope.Key `json:"reservationId"`
	Type          string    `json:"type,omitempty"`       // the resource type, such as "rcivmsite.vm"
	Properties    string    `json:"properties,omitempty"` // path of its unit properties
	UserData      string    `json:"userData,omitempty"`   // path of its user data
	PublicIP      string    `json:"publicIp,omitempty"`
}

// NeedsContext reports whether a VM of this type gets place-holders in COMET: a type that ends in vm, baremetalce or lun, or none.
func (v VM) NeedsContext() bool {
	return v.Type == "" || v.IsLUN() || endsIn(v.Type, "vm") || endsIn(v.Type, "baremetalce")
}

// IsLUN reports whether this is storage. It gets a context, but has no guest: nobody may wait for it.
func (v VM) IsLUN() bool { return endsIn(v.Type, "lun") }

func endsIn(resourceType, ending string) bool {
	return strings.HasSuffix(strings.ToLower(resourceType), ending)
}

// LoadSlice reads a slice file. Paths in it that are relative are taken from the folder that it is in.
func LoadSlice(path string) (Slice, error) {
	s, err := load(path, "slice file", ParseSlice)
	for i := range s.VMs {
		vm := &s.VMs[i]
		vm.Properties = beside(path, vm.Properties)
		vm.UserData = beside(path, vm.UserData)
	}
	return s, err
}

func beside(path, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(path), name)
}

// ParseSlice reads a slice file, JSON or YAML, and checks it as Validate does. Paths in it stay as they are. A member that a slice
// file does not have is a *LineError that names it.
func ParseSlice(data []byte) (Slice, error) {
	content, err := sliceJSON(data)
	if err != nil {
		return Slice{}, err
	}
	r := sliceReader{source: string(data)}
	s := r.slice(content)
	if r.err != nil {
		return Slice{}, r.err
	}
	if len(s.Groups) == 0 {
		s.Groups = []string{scope.DefaultGroup}
	}
	for i := range s.VMs {
		s.VMs[i].HostName = scope.CanonicalHostName(s.VMs[i].HostName)
	}
	return s, s.Validate()
}

// Validate returns a *LineError for the first thing that is missing, makes no sense, or is there twice: a reservation ID, a host name.
func (s Slice) Validate() error {
	if s.ID.IsZero() {
		return &LineError{Field: "sliceId", Reason: "is missing"}
	}
	for i, group := range s.Groups {
		if err := validGroup(group); err != nil {
			return &LineError{Field: fmt.Sprintf("groups[%d]", i), Reason: err.Error()}
		}
	}
	if len(s.VMs) == 0 {
		return &LineError{Field: "vms", Reason: "is missing; a slice has at least one VM"}
	}
	seen := map[string]int{}
	for i, vm := range s.VMs {
		if err := vm.validate(i, seen); err != nil {
			return err
		}
	}
	return nil
}

// validate checks VM i; seen says which VM has which host name and reservation ID.
func (v VM) validate(i int, seen map[string]int) error {
	wrong := func(member, format string, args ...any) error {
		return &LineError{Field: fmt.Sprintf("vms[%d].%s", i, member), Reason: fmt.Sprintf(format, args...)}
	}
	if err := scope.ValidHostName(v.HostName); v.HostName == "" {
		return wrong("hostName", "is missing")
	} else if err != nil {
		return wrong("hostName", "%.64q %v", v.HostName, err)
	}
	if v.ReservationID.IsZero() {
		return wrong("reservationId", "is missing")
	}
	if _, err := netip.ParseAddr(v.PublicIP); v.PublicIP != "" && err != nil {
		return wrong("publicIp", "%.64q is not an IP address", v.PublicIP)
	}
	names := map[string]string{
		"hostName":      strings.ToLower(scope.CanonicalHostName(v.HostName)),
		"reservationId": v.ReservationID.String(),
	}
	for _, member := range []string{"hostName", "reservationId"} {
		id := member + "=" + names[member]
		if other, twice := seen[id]; twice {
			return wrong(member, "is that of vms[%d] too", other)
		}
		seen[id] = i
	}
	return nil
}

// validGroup checks that a group's name survives the lists of user data, for every program that splits them, and makes a family.
func validGroup(group string) error {
	if got := scope.ParseGroups(group); len(got) != 1 || got[0] != group || strings.ContainsFunc(group, unicode.IsSpace) {
		return errors.New("is no group's name; it has no blanks and no commas")
	}
	if _, err := scope.HostsOf(group); err != nil {
		return reason(err)
	}
	_, err := scope.PubKeysOf(group)
	return reason(err)
}
