package digest_test

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/scope"
)

func context(t *testing.T, s string) scope.ContextID {
	t.Helper()
	id, err := scope.ParseContextID(s)
	require.NoError(t, err)
	return id
}

func TestDigestsDifferInEveryInput(t *testing.T) {
	k, other := digest.NewKey(), digest.NewKey()
	seen := map[digest.Digest]string{}
	for what, d := range map[string]digest.Digest{
		"read":                   k.Read(context(t, "ab"), scope.MustToken("c")),
		"write":                  k.Write(context(t, "ab"), scope.MustToken("c")),
		"another key":            other.Read(context(t, "ab"), scope.MustToken("c")),
		"another token":          k.Read(context(t, "ab"), scope.MustToken("d")),
		"split at another place": k.Read(context(t, "a"), scope.MustToken("bc")),
	} {
		assert.Empty(t, seen[d], what)
		seen[d] = what
	}
	require.True(t, k.Read(context(t, "ab"), scope.MustToken("c")).Equal(k.Read(context(t, "ab"), scope.MustToken("c"))))
	require.False(t, k.Read(context(t, "ab"), scope.MustToken("c")).Equal(k.Write(context(t, "ab"), scope.MustToken("c"))))
}

// Digests are in files that later versions must read, so they may never change.
func TestDigestsAreLasting(t *testing.T) {
	k, err := digest.ParseKey([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	read := k.Read(context(t, "slice"), scope.MustToken("token"))
	write := k.Write(context(t, "slice"), scope.MustToken("token"))
	require.Equal(t, "ea109cc48a613d361e53cfc1cd2831707829686cb99e32377caf5c3decb2bdcb", hex.EncodeToString(read[:]))
	require.Equal(t, "2a4133e021787b2828e0da28d6bf7a7f5b72bf2b5c489608deae0be10440a186", hex.EncodeToString(write[:]))
}

func TestKeyPrintsNothingOfItself(t *testing.T) {
	k, err := digest.ParseKey([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	holder := struct{ hidden digest.Key }{k}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, v := range []any{k, &k, holder, &holder} {
			out := fmt.Sprintf(verb, v)
			require.NotContains(t, out, "0123456789")
			require.NotContains(t, out, hex.EncodeToString(k.Bytes()))
			require.NotContains(t, out, "48 49 50")
		}
	}
}

func TestParseKeyRefusesOtherLengths(t *testing.T) {
	for _, n := range []int{0, 31, 33} {
		_, err := digest.ParseKey(make([]byte, n))
		require.Error(t, err)
	}
}
