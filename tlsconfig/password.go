package tlsconfig

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"unique"
)

// redacted is what a password prints as.
const redacted = "[redacted]"

// Password is a password that never prints itself: not through fmt, slog or JSON, and not as an unexported field of another
// struct either, because only a handle is stored. Passwords are comparable; the zero value is "none given".
type Password struct {
	handle unique.Handle[string]
}

// NewPassword returns s as a password. The empty string is the zero Password.
func NewPassword(s string) Password {
	if s == "" {
		return Password{}
	}
	return Password{unique.Make(s)}
}

// ReadPassword returns the password in a file, without the newline at its end. An empty file is an error: who names one means to give a
// password, and the zero Password stands for none.
func ReadPassword(path string) (Password, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Password{}, fmt.Errorf("password file: %w", err)
	}
	password := NewPassword(strings.TrimRight(string(text), "\r\n"))
	if password.IsZero() {
		return Password{}, fmt.Errorf("password file %s is empty: write the password into it, or do not name it", path)
	}
	return password, nil
}

// Reveal returns the password itself, for the library that opens a file with it.
func (p Password) Reveal() string {
	if p.IsZero() {
		return ""
	}
	return p.handle.Value()
}

// IsZero tells whether no password was given.
func (p Password) IsZero() bool { return p == Password{} }

// String returns a fixed text, or nothing for the zero Password.
func (p Password) String() string {
	if p.IsZero() {
		return ""
	}
	return redacted
}

// Format prints the fixed text whatever the verb.
func (p Password) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// LogValue keeps the password out of logs.
func (p Password) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText keeps the password out of JSON and its kin.
func (p Password) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
