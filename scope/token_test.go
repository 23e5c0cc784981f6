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

// holder keeps what is secret where fmt, slog and JSON reach it without asking any method.
type holder struct {
	inner   scope.Token
	Pair    scope.Tokens
	list    []scope.Token
	byName  map[string]scope.Token
	at      *scope.Token
	any     any
	hidden  scope.Hidden
	Hidden  scope.Hidden
	storage scope.Storage
	Storage []scope.Storage
	scripts []*scope.Script
	Scripts map[string]scope.Script
	PubKey  any
}

func plantedHolder() *holder {
	t, h := scope.MustToken(planted), scope.Hide(planted)
	storage, script := scope.Storage{Device: "dev0", ChapSecret: h}, scope.Script{Name: "n", Body: h}
	return &holder{t, scope.Tokens{Read: t, Write: t}, []scope.Token{t}, map[string]scope.Token{"x": t}, &t, t,
		h, h, storage, []scope.Storage{storage}, []*scope.Script{&script}, map[string]scope.Script{"x": script}, &scope.PubKey{PrivateKey: h}}
}

func TestSecretsPrintNowhere(t *testing.T) {
	h := plantedHolder()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
		for _, v := range []any{h, *h, h.inner, h.hidden, h.storage, h.Storage, h.scripts, h.Scripts, h.PubKey} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		logger.Info("x", "token", h.inner, "pair", h.Pair, "holder", h, "value", *h, "hidden", h.hidden, "storage", h.storage,
			"list", h.Storage, "pointers", h.scripts, "map", h.Scripts, "key", h.PubKey)
	}
	for _, v := range []any{h, h.Storage, h.scripts, h.Scripts, h.PubKey, h.storage} {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(text)
	}
	_, err := scope.ParseToken(planted + "\n")
	out.WriteString(err.Error())
	assert.NotContains(t, out.String(), planted)
	assert.NotContains(t, strings.ToLower(out.String()), fmt.Sprintf("%x", planted))
	assert.Contains(t, out.String(), "[redacted]")
	assert.Equal(t, planted, h.inner.Reveal())
	assert.Equal(t, planted, h.hidden.Reveal())
	assert.Contains(t, string(scope.Encode(h.storage)), planted, "in an entry's value they are data")
}

func TestHiddenTextComesBack(t *testing.T) {
	scripts, err := scope.Decode[scope.Script](scope.Encode(scope.Script{Name: "n", Body: scope.Hide("#!/bin/sh\n")}))
	require.NoError(t, err)
	assert.Equal(t, []scope.Script{{Name: "n", Body: scope.Hide("#!/bin/sh\n")}}, scripts)
	assert.Equal(t, `{"val_":"[{\"publicKey\":\"\"}]"}`, string(scope.Encode(scope.PubKey{})))
	assert.Equal(t, scope.Hidden{}, scope.Hide(""))
	assert.Empty(t, scope.Hidden{}.Reveal())
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
