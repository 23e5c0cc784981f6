package am

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// SectionGlobal is the section of user data that handlers may name as well. It holds nothing that COMET keeps.
const SectionGlobal = "global"

// Section returns the family that a handler's section means. ok is false for SectionGlobal; any other that does not exist is an
// error that names those that do.
func Section(name string) (family scope.Family, ok bool, err error) {
	if name == SectionGlobal {
		return scope.Family{}, false, nil
	}
	var known []string
	for _, f := range scope.InstanceFamilies() {
		if f.String() == name {
			return f, true, nil
		}
		known = append(known, f.String())
	}
	return scope.Family{}, false, fmt.Errorf("section %q does not exist; there are %s and %s", name, strings.Join(known, ", "), SectionGlobal)
}

// The colon forms: what stands behind the key, in its order. Of all but storage the last field takes whatever colons are left.
const (
	formUsers      = "SUDO:KEYS"
	formInterfaces = "STATE:IPVERSION[:CIDR]"
	formStorage    = "TYPE:IP:PORT:LUN:CHAPUSER:CHAPSECRET:ATTACH:FSTYPE:FSOPTIONS:FORMAT:MOUNTPOINT"
)

// ParseElement reads an element of a family from what handlers pass: the key by which it is found, and a value of fields that are
// separated by colons. These are, for users SUDO:KEYS, for interfaces STATE:IPVERSION[:CIDR], for storage
// TYPE:IP:PORT:LUN:CHAPUSER:CHAPSECRET:ATTACH:FSTYPE:FSOPTIONS:FORMAT:MOUNTPOINT of which the last four may be missing, for routes the
// next hop, for scripts the body, byte for byte. A field that is one literal ${…} is unset. In storage a CHAP secret with a colon and an
// IPv6 address cannot be told from two fields: make such an element from its members instead.
//
// The error names the element and the field and never quotes a value.
func ParseElement(family scope.Family, key, value string) (scope.Element, error) {
	e, err := parseElement(family, key, value)
	if err != nil {
		return nil, elementError(family, key, err)
	}
	return e, check(e)
}

func parseElement(family scope.Family, key, value string) (scope.Element, error) {
	if orca.Unset(value) || family != scope.FamilyScripts && strings.TrimSpace(value) == "" {
		return nil, errors.New("the value is not set")
	}
	switch family {
	case scope.FamilyUsers:
		return parseUser(key, value)
	case scope.FamilyInterfaces:
		return parseInterface(key, value)
	case scope.FamilyStorage:
		return parseStorage(key, value)
	case scope.FamilyRoutes:
		return scope.Route{Network: key, NextHop: word(value)}, nil
	default:
		return scope.Script{Name: key, Body: scope.Hide(value)}, nil
	}
}

// elementError says which element is wrong.
func elementError(family scope.Family, key string, err error) error {
	return fmt.Errorf("%s %q: %w", family, key, err)
}

// check validates an element, and names it where it makes no sense.
func check(e scope.Element) error {
	err := scope.ValidateNew(e)
	if u, ok := e.(scope.User); ok && err == nil && len(u.PublicKeys()) == 0 {
		err = &scope.FieldError{Field: "key", Reason: "is missing"}
	}
	return invalid(e, err)
}

const sudoNo = "no"

// checkAdded is check for an element that may be added to one that is there: of a user the login suffices.
func checkAdded(e scope.Element) error {
	if u, ok := e.(scope.User); ok && u.Sudo == "" {
		u.Sudo = sudoNo
		e = u
	}
	return invalid(e, scope.ValidateNew(e))
}

func invalid(e scope.Element, err error) error {
	if err != nil {
		return fmt.Errorf("%s %q: %w", e.Kind(), e.ElementKey(), err)
	}
	return nil
}

func parseUser(login, value string) (scope.Element, error) {
	sudo, keys, ok := strings.Cut(value, ":")
	if !ok {
		return nil, errors.New("the value is not " + formUsers)
	}
	list := scope.User{Keys: scope.KeyText{unset(keys)}}.PublicKeys()
	return scope.User{Login: login, Sudo: word(sudo), Keys: list}, nil
}

func parseInterface(mac, value string) (scope.Element, error) {
	fields := strings.SplitN(value, ":", 3)
	if len(fields) < 2 {
		return nil, errors.New("the value is not " + formInterfaces)
	}
	fields = append(fields, "")
	return scope.Interface{MAC: scope.CanonicalMAC(mac), State: word(fields[0]), IPVersion: word(fields[1]), IP: unset(fields[2])}, nil
}

const (
	storageFields = 11
	storageLeast  = 7
)

func parseStorage(device, value string) (scope.Element, error) {
	fields := strings.Split(value, ":")
	if n := len(fields); n < storageLeast || n > storageFields {
		return nil, fmt.Errorf("the value has %d fields, not %d to %d, %s; what has a colon in it is given by flags", n, storageLeast, storageFields, formStorage)
	}
	fields = append(fields, slices.Repeat([]string{""}, storageFields-len(fields))...)
	secret := fields[5] // blanks around it may be part of it
	if orca.Unset(secret) {
		secret = ""
	}
	return scope.Storage{
		Device: device, Type: word(fields[0]), TargetIP: unset(fields[1]), TargetPort: unset(fields[2]), TargetLUN: cmp.Or(unset(fields[3]), "0"),
		ChapUser: unset(fields[4]), ChapSecret: scope.Hide(secret), ShouldAttach: cmp.Or(word(fields[6]), "no"),
		FSType: unset(fields[7]), FSOptions: unset(fields[8]), ShouldFormat: cmp.Or(word(fields[9]), "no"), MountPoint: unset(fields[10]),
	}, nil
}

// unset returns a field without the blanks around it, or nothing where a template left it unfilled.
func unset(field string) string {
	if field = strings.TrimSpace(field); orca.Unset(field) {
		return ""
	}
	return field
}
