package am

import (
	"iter"
	"log/slog"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// Families is what an aggregate manager puts down for one VM.
type Families struct {
	Users      []scope.User
	Interfaces []scope.Interface
	Storage    []scope.Storage
	Routes     []scope.Route
	Scripts    []scope.Script

	attach []string // HOSTETH.VLAN.MAC of each interface
}

// Values yields the five families in the order in which they are put down, each with its value; see [scope.InstanceFamilies]. A
// family without elements is there as well, with an empty list.
func (f Families) Values() iter.Seq2[scope.Family, []byte] {
	values := map[scope.Family][]byte{
		scope.FamilyUsers:      scope.Encode(f.Users...),
		scope.FamilyInterfaces: scope.Encode(f.Interfaces...),
		scope.FamilyStorage:    scope.Encode(f.Storage...),
		scope.FamilyRoutes:     scope.Encode(f.Routes...),
		scope.FamilyScripts:    scope.Encode(f.Scripts...),
	}
	return func(yield func(scope.Family, []byte) bool) {
		for _, family := range scope.InstanceFamilies() {
			if !yield(family, values[family]) {
				return
			}
		}
	}
}

// IfaceList returns the interfaces for the host to attach, HOSTETH.VLAN.MAC each, every one followed by a blank. The mac is
// written as the property has it: that is what the handlers behind the existing command get.
func (f Families) IfaceList() string {
	var b strings.Builder
	for _, a := range f.attach {
		b.WriteString(a + " ")
	}
	return b.String()
}

// LogValue shows how many elements there are, since some are secret.
func (f Families) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("users", len(f.Users)), slog.Int("interfaces", len(f.Interfaces)),
		slog.Int("storage", len(f.Storage)), slog.Int("routes", len(f.Routes)), slog.Int("scripts", len(f.Scripts)))
}
