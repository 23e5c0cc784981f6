package scope

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"unique"
)

// Hidden is text that nobody but its VM, or its program, should see: a script's body, a CHAP secret, a private key, a password. Like
// a Token it prints as [redacted] through fmt, slog and JSON, wherever it is nested; [Hidden.Reveal] and [Encode] are the ways out.
// Comparable; the zero value is empty.
type Hidden struct {
	text unique.Handle[string] // as in Token
}

// Hide returns s as a Hidden.
func Hide(s string) Hidden {
	if s == "" {
		return Hidden{}
	}
	return Hidden{unique.Make(s)}
}

// Reveal returns the text itself.
func (h Hidden) Reveal() string {
	if h == (Hidden{}) {
		return ""
	}
	return h.text.Value()
}

// String returns [redacted], or nothing where there is no text.
func (h Hidden) String() string {
	if h == (Hidden{}) {
		return ""
	}
	return redacted
}

// Format prints [redacted] for every verb.
func (h Hidden) Format(f fmt.State, _ rune) { fmt.Fprint(f, h.String()) }

// LogValue is what slog shows.
func (h Hidden) LogValue() slog.Value { return slog.StringValue(h.String()) }

// MarshalJSON gives "[redacted]": values of entries are made by Encode.
func (h Hidden) MarshalJSON() ([]byte, error) { return json.Marshal(h.String()) }

// UnmarshalJSON takes a JSON string.
func (h *Hidden) UnmarshalJSON(raw []byte) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	*h = Hide(s)
	return nil
}
