package scope

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// ValidateNew is Validate for who puts an element down. It also reports, as a *FieldError, what readers live with because deployed
// programs have written it: a public key, a VLAN tag, the name of an interface, a gateway that is none, a script that deployed guests never
// run.
func ValidateNew(e Element) error {
	if err := e.Validate(); err != nil {
		return err
	}
	if strict, ok := e.(interface{ validateNew() error }); ok {
		return strict.validateNew()
	}
	return nil
}

func required(field, value string) error {
	if value == "" {
		return &FieldError{field, "is missing"}
	}
	return nil
}

func oneOf(field, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	named := slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return a == "" })
	return &FieldError{field, fmt.Sprintf("is not one of %s", strings.Join(named, ", "))}
}

// fileName reports what cannot be the name of a file in a folder of ours.
func fileName(field, name string) error {
	if err := required(field, name); err != nil {
		return err
	}
	if strings.ContainsAny(name, "/\x00\n") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || len(name) > 200 {
		return &FieldError{field, "cannot be a file's name"}
	}
	return nil
}

// linkName reports what cannot be the name of a network interface, whatever system it is on. It may be missing.
func linkName(field, name string) error {
	if strings.ContainsFunc(name, func(r rune) bool { return r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return &FieldError{field, "is not the name of an interface"}
	}
	return nil
}

const (
	lowerAndDigits = "abcdefghijklmnopqrstuvwxyz0123456789"
	maxLogin       = 32 // what useradd takes
	maxHostName    = 253
	maxLabel       = 63
)

// validLogin takes what Debian's and Red Hat's user tools take: a letter or _ first, then letters, digits, - . and _, in lower
// or upper case, a $ at the end.
func validLogin(login string) error {
	if err := required("user", login); err != nil {
		return err
	}
	lower := strings.ToLower(strings.TrimSuffix(login, "$"))
	if lower == "" || len(login) > maxLogin || strings.Trim(lower, lowerAndDigits+"_.-") != "" || strings.ContainsRune("-.0123456789", rune(lower[0])) {
		return &FieldError{"user", "is not a login name"}
	}
	return nil
}

// ValidHostName reports why a name, with / taken as -, cannot be a host's: each of its dotted labels has 1 to 63 letters, digits,
// dashes or underscores and no dash at either end, the last is not a number, as in addresses, and all have at most 253 bytes.
func ValidHostName(name string) error {
	name = strings.ToLower(CanonicalHostName(name))
	if name == "" {
		return errors.New("is missing")
	}
	if len(name) > maxHostName {
		return errors.New("is longer than 253 bytes")
	}
	if last := name[strings.LastIndexByte(name, '.')+1:]; strings.Trim(last, "0123456789") == "" {
		return errors.New("is not a host name but looks like an address")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel || strings.Trim(label, lowerAndDigits+"_-") != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return errors.New("is not a host name")
		}
	}
	return nil
}
