// Package plant has a secret that tests plant in what parsers read, and what their errors must be then. Only tests import it.
package plant

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Secret is what no error quotes. Every token, password, script and key takes it.
const Secret = "Planted-Secret-1"

// In puts the secret in place of every ~, so that what is fuzzed moves it about as one byte.
func In(text string) string { return strings.ReplaceAll(text, "~", Secret) }

// RequirePlain requires an error that can be logged and shown: one line of text, which no terminal obeys, without the secret.
func RequirePlain(t testing.TB, err error) {
	t.Helper()
	require.Error(t, err)
	require.NotContains(t, err.Error(), Secret)
	RequireLine(t, err.Error())
}

// RequireLine requires one line of text, which no terminal obeys.
func RequireLine(t testing.TB, line string) {
	t.Helper()
	require.NotEmpty(t, line)
	require.True(t, utf8.ValidString(line) && !strings.ContainsFunc(line, unicode.IsControl), "%q", line)
}
