package scope

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unique"
)

// redacted is what tokens and secrets show instead of themselves.
const redacted = "[redacted]"

// Token is a shared secret that makes an entry visible (read token) or allows its change (write token). It prints as [redacted]
// through fmt, slog and JSON, wherever it is nested; [Token.Reveal] is the one way out. The zero value is no token. Comparable
// with ==, which does not take constant time: a head that judges a stranger's token compares digests.
type Token struct {
	// A handle, not a string: fmt reaches into unexported fields of structs past every method, and there finds a pointer.
	secret unique.Handle[string]
}

// Tokens is the pair that a write or a removal needs.
type Tokens struct{ Read, Write Token }

// tokenLen gives 190 bits from an alphabet of 62.
const tokenLen = 32

const tokenAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// NewToken returns a fresh random token of 32 letters and digits. It always meets the strength rule of [Token.Strong] and every
// head's alphabet.
func NewToken() Token {
	for {
		t := Token{unique.Make(randomText(tokenLen))}
		if t.Strong() == nil {
			return t
		}
	}
}

// NewTokens returns a fresh pair.
func NewTokens() Tokens { return Tokens{Read: NewToken(), Write: NewToken()} }

// randomText draws letters and digits evenly: bytes beyond the last whole multiple of the alphabet are drawn again.
func randomText(n int) string {
	const fair = 256 - 256%len(tokenAlphabet)
	text := make([]byte, 0, n)
	for buf := make([]byte, n); len(text) < n; {
		rand.Read(buf) // never fails: crypto/rand ends the program instead
		for _, b := range buf {
			if int(b) < fair && len(text) < n {
				text = append(text, tokenAlphabet[int(b)%len(tokenAlphabet)])
			}
		}
	}
	return string(text)
}

// ParseToken takes a token as it is: 1 to MaxNameLen bytes of UTF-8 without control characters. Nothing is trimmed. The error
// never quotes the text.
func ParseToken(s string) (Token, error) {
	if err := checkText("token", s); err != nil {
		return Token{}, err
	}
	return Token{unique.Make(s)}, nil
}

// MustToken is ParseToken for literals and tests; it panics where ParseToken fails.
func MustToken(s string) Token {
	t, err := ParseToken(s)
	if err != nil {
		panic(err)
	}
	return t
}

// Reveal returns the secret itself. It belongs into requests and into files of mode 0600, nowhere else.
func (t Token) Reveal() string {
	if t.IsZero() {
		return ""
	}
	return t.secret.Value()
}

// IsZero reports whether this is no token.
func (t Token) IsZero() bool { return t == Token{} }

// Strong returns nil where the token meets the strength rule that heads may insist on: at least 8 characters, at least one digit,
// one lower-case and one upper-case letter, and no white space. Otherwise the error says what is missing.
func (t Token) Strong() error {
	s := t.Reveal()
	switch {
	case len([]rune(s)) < 8:
		return errors.New("token has fewer than 8 characters")
	case strings.IndexFunc(s, unicode.IsDigit) < 0:
		return errors.New("token has no digit")
	case strings.IndexFunc(s, unicode.IsLower) < 0:
		return errors.New("token has no lower-case letter")
	case strings.IndexFunc(s, unicode.IsUpper) < 0:
		return errors.New("token has no upper-case letter")
	case strings.IndexFunc(s, unicode.IsSpace) >= 0:
		return errors.New("token has white space")
	}
	return nil
}

// Portable returns nil where every deployed head takes the token: COMET-Accumulo uses the read token as a visibility expression,
// in which only letters, digits and _ . : / - stand for themselves.
func (t Token) Portable() error {
	for _, r := range t.Reveal() {
		if r > unicode.MaxASCII || !strings.ContainsRune(tokenAlphabet+"_.:/-", r) {
			return errors.New("token has a character other than letters, digits and _ . : / -, which deployed heads do not take")
		}
	}
	return nil
}

// String returns [redacted], or nothing for the zero value.
func (t Token) String() string {
	if t.IsZero() {
		return ""
	}
	return redacted
}

// Format prints [redacted] for every verb.
func (t Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, t.String()) }

// LogValue is what slog shows.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText gives [redacted]: a token leaves the program by Reveal alone.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText takes a token as ParseToken does.
func (t *Token) UnmarshalText(text []byte) error {
	parsed, err := ParseToken(string(text))
	if err == nil {
		*t = parsed
	}
	return err
}
