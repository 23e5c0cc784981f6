package scope

import (
	"encoding/json"
	"fmt"
	"strings"
)

// User is an element of the family users: a login of the VM.
type User struct {
	Login string  `json:"user"`
	Sudo  string  `json:"sudo"` // "yes" or "no"
	Keys  KeyText `json:"key"`
}

// KeyText is the member key of a user as it is stored: a list of strings, each of which may hold several public keys joined by
// colons. A bare string is taken as a list of one. PublicKeys splits it.
type KeyText []string

// Kind returns "users".
func (User) Kind() string { return "users" }

// ElementKey is the login; ORCA finds it ignoring case.
func (u User) ElementKey() string { return strings.ToLower(u.Login) }

// Validate checks that the login is one that user tools take and sudo is yes or no, in any case.
func (u User) Validate() error {
	if err := validLogin(u.Login); err != nil {
		return err
	}
	return oneOf("sudo", strings.ToLower(u.Sudo), "yes", "no")
}

// validateNew checks the public keys.
func (u User) validateNew() error {
	for i, key := range u.PublicKeys() {
		if err := ValidPublicKey(key); err != nil {
			return &FieldError{"key", fmt.Sprintf("number %d %v", i+1, err)}
		}
	}
	return nil
}

// MaySudo reports whether sudo is "yes", in any case.
func (u User) MaySudo() bool { return strings.EqualFold(u.Sudo, "yes") }

// PublicKeys returns the user's public keys one by one, without blanks around them.
func (u User) PublicKeys() []string {
	var keys []string
	for _, text := range u.Keys {
		keys = append(keys, splitKeys(text)...)
	}
	return keys
}

// UnmarshalJSON takes a list of strings or a single string.
func (k *KeyText) UnmarshalJSON(raw []byte) error {
	var one string
	if err := json.Unmarshal(raw, &one); err == nil {
		*k = nil
		if one != "" {
			*k = KeyText{one}
		}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(k))
}

// JoinKeys joins public keys as ORCA does, by colons.
func JoinKeys(keys []string) string { return strings.Join(keys, ":") }

// splitKeys cuts at the colons that stand between two keys. Others, in options such as from="2001:db8::1" or in a comment such as
// alice@host:22, belong to their key: a key ends at a colon only where the text up to there has a key in it and the text
// behind it starts another one, or at the end.
func splitKeys(text string) []string {
	var keys []string
	add := func(key string) {
		if key = strings.TrimSpace(key); key != "" {
			keys = append(keys, key)
		}
	}
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"' && (i == 0 || text[i-1] != '\\'):
			quoted = !quoted
		case text[i] == '\n':
			add(text[start:i])
			start, quoted = i+1, false
		case text[i] == ':' && !quoted && hasKey(text[start:i]) && startsKey(text[i+1:]):
			add(text[start:i])
			start = i + 1
		}
	}
	add(text[start:])
	return keys
}

var keyTypes = []string{"ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"}

// hasKey reports whether some word of the text is a key's type.
func hasKey(text string) bool {
	for word := range strings.FieldsSeq(text) {
		if isKeyType(word) {
			return true
		}
	}
	return false
}

// startsKey reports whether the text is empty or starts with a key's type, or with options and then a key's type.
func startsKey(text string) bool {
	text = strings.TrimSpace(text)
	if text == "" {
		return true
	}
	first, rest := cutOptions(text)
	second, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return isKeyType(first) || isKeyType(second) && isOptions(first)
}

// cutOptions cuts at the first blank outside quotes: behind options, or behind a word.
func cutOptions(text string) (first, rest string) {
	quoted := false
	for i, c := range text {
		switch {
		case c == '"' && (i == 0 || text[i-1] != '\\'):
			quoted = !quoted
		case (c == ' ' || c == '\t') && !quoted:
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// isOptions tells the options of a key from the last word of a comment: a list of words, some with a quoted value.
func isOptions(word string) bool {
	return strings.HasPrefix(word, "no-") || strings.Contains(word, `="`) || word == "restrict" || strings.HasPrefix(word, "restrict,")
}

func isKeyType(word string) bool {
	for _, t := range keyTypes {
		if strings.HasPrefix(word, t) {
			return true
		}
	}
	return false
}
