package scope

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// MaxNameLen is the longest context, family, key or token that heads take, in bytes.
const MaxNameLen = 1024

// ContextID names one slice: a GUID, or any text of 1 to MaxNameLen bytes without control characters. The zero value names
// nothing. Comparable.
type ContextID struct{ name }

// ParseContextID checks s and returns it as a ContextID.
func ParseContextID(s string) (ContextID, error) {
	n, err := parseName("context", s)
	return ContextID{n}, err
}

// Key names one VM in a slice: its reservation ID or its host name. The zero value names nothing. Comparable.
type Key struct{ name }

// ParseKey checks s and returns it as a Key.
func ParseKey(s string) (Key, error) {
	n, err := parseName("key", s)
	return Key{n}, err
}

// Name is the name of an entry: whose slice, which kind, which VM. Entries of one name under different read tokens are different
// entries. Comparable.
type Name struct {
	Context ContextID
	Family  Family
	Key     Key
}

// NewName checks the three parts of an entry's name; the error says which part is wrong.
func NewName(context, family, key string) (Name, error) {
	c, err := ParseContextID(context)
	if err != nil {
		return Name{}, err
	}
	f, err := ParseFamily(family)
	if err != nil {
		return Name{}, err
	}
	k, err := ParseKey(key)
	if err != nil {
		return Name{}, err
	}
	return Name{Context: c, Family: f, Key: k}, nil
}

// MustName is NewName for literals and tests; it panics where NewName fails.
func MustName(context, family, key string) Name {
	n, err := NewName(context, family, key)
	if err != nil {
		panic(err)
	}
	return n
}

// String gives context/family/key, for people; the parts may themselves hold slashes.
func (n Name) String() string {
	return n.Context.String() + "/" + n.Family.String() + "/" + n.Key.String()
}

// IsZero reports whether any part is missing.
func (n Name) IsZero() bool {
	return n.Context.IsZero() || n.Family.IsZero() || n.Key.IsZero()
}

// A NameError says which name is wrong and how. Tokens are checked by the same rule, so the text itself is never quoted.
type NameError struct {
	Part   string // "context", "family", "key" or "token"
	Reason string
}

func (e *NameError) Error() string { return e.Part + " " + e.Reason }

// name is what the three kinds of names share: a checked text that cannot be changed.
type name struct{ text string }

func (n name) String() string { return n.text }

// IsZero reports whether this names nothing.
func (n name) IsZero() bool { return n.text == "" }

// MarshalText gives the name as it is.
func (n name) MarshalText() ([]byte, error) { return []byte(n.text), nil }

// UnmarshalText takes the text where it is a name, else it returns a *NameError.
func (n *name) UnmarshalText(text []byte) error {
	parsed, err := parseName("name", string(text))
	if err == nil {
		*n = parsed
	}
	return err
}

func parseName(part, s string) (name, error) {
	if err := checkText(part, s); err != nil {
		return name{}, err
	}
	return name{s}, nil
}

func checkText(part, s string) error {
	switch {
	case s == "":
		return &NameError{part, "is empty"}
	case len(s) > MaxNameLen:
		return &NameError{part, fmt.Sprintf("is longer than %d bytes", MaxNameLen)}
	case !utf8.ValidString(s):
		return &NameError{part, "is not valid UTF-8"}
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return &NameError{part, fmt.Sprintf("has a control character (U+%04X)", r)}
		}
	}
	return nil
}
