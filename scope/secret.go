package scope

import (
	"fmt"
	"log/slog"
)

// Secret is a member of an element that nobody but its VM should see: a script's body, a CHAP secret, a private key. It prints as
// [redacted] through fmt and slog; unlike a Token it is data, and JSON carries it.
type Secret string

// String returns [redacted], or nothing where there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format prints [redacted] for every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue is what slog shows.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
