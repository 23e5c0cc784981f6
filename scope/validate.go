package scope

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

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
