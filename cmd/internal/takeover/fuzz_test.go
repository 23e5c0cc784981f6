package takeover_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/takeover"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzLoadTokens: a file is owners with both tokens each, or refused in one line that quotes nothing of it.
func FuzzLoadTokens(f *testing.F) {
	path := filepath.Join(f.TempDir(), "tokens")
	f.Add([]byte(`{"context":"c","family":"f","key":"k","readToken":"Planted-1","writeToken":"Planted-2"} {"context":"c","readToken":"Planted-1","writeToken":"Planted-3"}`))
	f.Add([]byte(`{"sliceId":"c","readToken":"Planted","writeTokens":{"k":"Planted","l":"Planted\u0007"}}`))
	f.Add([]byte(`{"sliceId":"c","readToken":"Planted","writeTokens":{}}`))
	f.Add([]byte(`[{"Planted":"Planted"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		owners, err := takeover.LoadTokens(path)
		if err != nil {
			require.ErrorContains(t, err, path)
			require.NotContains(t, err.Error(), "Planted")
			plant.RequireLine(t, err.Error())
			return
		}
		require.NotEmpty(t, owners)
		for _, o := range owners {
			require.False(t, o.Context.IsZero() || o.Tokens.Read.IsZero() || o.Tokens.Write.IsZero())
		}
	})
}
