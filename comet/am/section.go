package am

import (
	"fmt"
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

// ParseElement reads an element of a family from what handlers pass: the key by which it is found, and a value of fields that are
// separated by colons. These are, for users SUDO:KEYS, for interfaces STATE:IPVERSION[:CIDR], for storage
// TYPE:IP:PORT:LUN:CHAPUSER:CHAPSECRET:ATTACH:FSTYPE:FSOPTIONS:FORMAT:MOUNTPOINT of which the last four may be missing, for routes the
// next hop, for scripts the body, byte for byte. A field that is one literal ${…} is unset. In storage a CHAP secret with a colon and an
// IPv6 address cannot be told from two fields: make such an element from its members instead.
//
// The error names the element and the field and never quotes a value.
func ParseElement(family scope.Family, key, value string) (scope.Element, error) {
	e, err := orca.ParseElement(family, key, value)
	if err != nil {
		return nil, elementError(family, key, err)
	}
	return e, check(e)
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
