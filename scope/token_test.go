package scope_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
)

const planted = "Planted1Secret"

// holder keeps tokens where fmt reaches them without asking any method.
type holder struct {
	inner  scope.Token
	Pair   scope.Tokens
	list   []scope.Token
	byName map[string]scope.Token
	at     *scope.Token
	any    any
}

func plantedHolder() holder {
	t := scope.MustToken(planted)
	return holder{t, scope.Tokens{Read: t, Write: t}, []scope.Token{t}, map[string]scope.Token{"x": t}, &t, t}
}

func TestTokensPrintNowhere(t *testing.T) {
	h := plantedHolder()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", h, h.inner)
		fmt.Fprintf(&out, verb+"\n", &h)
		if verb == "%p" {
			continue // fmt asks no method for it; vet refuses it for text
		}
		fmt.Fprintf(&out, verb+" ", scope.Secret(planted))
		fmt.Fprintf(&out, verb+" ", scope.Storage{ChapSecret: planted})
		fmt.Fprintf(&out, verb+" ", scope.Script{Name: "n", Body: planted})
	}
	for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		logger.Info("x", "token", h.inner, "pair", h.Pair, "holder", h, "secret", scope.Secret(planted),
			"storage", scope.Storage{ChapSecret: planted}, "script", scope.Script{Body: planted})
	}
	text, err := json.Marshal(h)
	require.NoError(t, err)
	out.Write(text)

	_, err = scope.ParseToken(planted + "\n")
	out.WriteString(err.Error())
	assert.NotContains(t, out.String(), planted)
	assert.NotContains(t, strings.ToLower(out.String()), fmt.Sprintf("%x", planted))
	assert.Contains(t, out.String(), "[redacted]")
	assert.Equal(t, planted, h.inner.Reveal())
}

func TestTokens(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		tokens := scope.NewTokens()
		for _, token := range []scope.Token{tokens.Read, tokens.Write} {
			require.NoError(t, token.Strong())
			require.NoError(t, token.Portable())
			require.Len(t, token.Reveal(), 32)
			require.False(t, seen[token.Reveal()])
			seen[token.Reveal()] = true
		}
	}
	assert.True(t, scope.Token{}.IsZero())
	assert.Empty(t, scope.Token{}.Reveal())
	assert.Equal(t, scope.MustToken("a"), scope.MustToken("a"))
	assert.NotEqual(t, scope.MustToken("a"), scope.MustToken("b"))

	for token, says := range map[string]string{
		"aB3":         "fewer than 8",
		"abcdefgH":    "no digit",
		"ABCDEFG1":    "no lower-case",
		"abcdefg1":    "no upper-case",
		"abcd EFG1":   "white space",
		"sliceRead12": "",
	} {
		err := scope.MustToken(token).Strong()
		if says == "" {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorContains(t, err, says)
		assert.NotContains(t, err.Error(), token)
	}
	assert.Error(t, scope.MustToken("a|b").Portable())
	assert.NoError(t, scope.MustToken("a_B.1:/-").Portable())
}
