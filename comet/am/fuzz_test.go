package am_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzOpenTokens: a file gives its tokens, again and again, or is refused; it stays as it is in both cases, and no word of it is
// quoted.
func FuzzOpenTokens(f *testing.F) {
	path := filepath.Join(f.TempDir(), "saved")
	f.Add([]byte(orca.PropertyReadToken + "=Planted-Read-1\n" + orca.PropertyWriteToken + "=Planted-Write-1\n"))
	f.Add([]byte(orca.PropertyReadToken + "=Planted\\u0007\n"))
	f.Add([]byte("unit.comet.readToken=Planted\nother=Planted"))
	f.Add([]byte("\\u00zzPlanted"))
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		tokens, err := am.OpenTokens(t.Context(), path, orca.Unit{})
		if err != nil {
			require.ErrorIs(t, err, am.ErrSaved)
			require.NotContains(t, err.Error(), "Planted")
			plant.RequireLine(t, err.Error())
		} else {
			require.True(t, !tokens.Read.IsZero() && !tokens.Write.IsZero())
			again, err := am.OpenTokens(t.Context(), path, orca.Unit{Tokens: tokens})
			require.NoError(t, err)
			require.Equal(t, tokens, again)
		}
		now, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(data), string(now))
	})
}
