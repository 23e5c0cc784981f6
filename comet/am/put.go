package am

import (
	"cmp"

	"github.com/renci-nrig/comet-go/scope"
)

// put puts an element into the list of its family.
func put(l *scope.List, e scope.Element) (replaced bool, err error) {
	switch e := e.(type) {
	case scope.User:
		return putUser(l, e)
	case scope.Interface:
		return putInterface(l, e), nil
	case scope.Storage:
		return scope.Put(l, e), nil
	case scope.Route:
		return scope.Put(l, e), nil
	case scope.Script:
		return scope.Put(l, e), nil
	}
	panic("am: no section has elements of the kind " + e.Kind())
}

// putUser keeps what is not said anew of a user who is there, the keys, and the spelling of the login.
func putUser(l *scope.List, u scope.User) (replaced bool, err error) {
	i := scope.Find[scope.User](l, u.ElementKey())
	if i < 0 {
		u.Sudo = cmp.Or(u.Sudo, sudoNo)
		if len(u.PublicKeys()) == 0 {
			return false, &scope.FieldError{Field: "key", Reason: "is missing; the user is new"}
		}
		u.Keys = joined(u.PublicKeys())
		return scope.Put(l, u), nil
	}
	merged, _ := scope.ElementAt[scope.User](l, i) // Find has read it
	merged.Sudo = cmp.Or(u.Sudo, merged.Sudo)
	if more := further(merged.PublicKeys(), u.PublicKeys()); len(more) > 0 {
		merged.Keys = append(merged.Keys, joined(more)...)
	}
	scope.Replace(l, i, merged)
	return true, nil
}

// putInterface keeps what only the host that the VM runs on knows of an interface.
func putInterface(l *scope.List, n scope.Interface) (replaced bool) {
	if i := scope.Find[scope.Interface](l, n.ElementKey()); i >= 0 {
		old, _ := scope.ElementAt[scope.Interface](l, i)
		n.HostEth, n.VLANTag = cmp.Or(n.HostEth, old.HostEth), cmp.Or(n.VLANTag, old.VLANTag)
	}
	return scope.Put(l, n)
}

// take takes the element that is found as e is out of the list of its family.
func take(l *scope.List, e scope.Element) (removed bool) {
	switch key := e.ElementKey(); e.(type) {
	case scope.User:
		return scope.Remove[scope.User](l, key)
	case scope.Interface:
		return scope.Remove[scope.Interface](l, key)
	case scope.Storage:
		return scope.Remove[scope.Storage](l, key)
	case scope.Route:
		return scope.Remove[scope.Route](l, key)
	case scope.Script:
		return scope.Remove[scope.Script](l, key)
	}
	panic("am: no section has elements of the kind " + e.Kind())
}

// named returns an element of a section with nothing but its key, spelled as handlers do, and the member that the key is.
func named(section scope.Family, key string) (e scope.Element, member string) {
	switch section {
	case scope.FamilyUsers:
		return scope.User{Login: key}, "user"
	case scope.FamilyInterfaces:
		return scope.Interface{MAC: key}, "mac"
	case scope.FamilyStorage:
		return scope.Storage{Device: key}, "device"
	case scope.FamilyRoutes:
		return scope.Route{Network: key}, "routeNetwork"
	case scope.FamilyScripts:
		return scope.Script{Name: key}, "scriptName"
	}
	panic("am: no section is called " + section.String())
}
