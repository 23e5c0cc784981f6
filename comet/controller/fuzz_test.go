package controller_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// FuzzOpenTokens: a file gives the tokens that are in it, and new ones for VMs that it lacks beside them, or is refused and stays as it
// is. No word of it is quoted.
func FuzzOpenTokens(f *testing.F) {
	path := filepath.Join(f.TempDir(), "tokens")
	f.Add([]byte(`{"sliceId":"s","readToken":"Planted-Read-1","writeTokens":{"a":"Planted-Write-1"}}`))
	f.Add([]byte(`{"sliceId":"s","readToken":"Planted","writeTokens":{"a":"Planted\u0007"}}`))
	f.Add([]byte(`{"sliceId":"s","readToken":"Planted","readToken":["Planted"],"writeTokens":{"":"Planted"}}`))
	f.Add([]byte(`{"sliceId":"s","readToken":"Planted"}Planted`))
	slice := orca.Slice{ID: scope.MustName("s", "f", "b").Context, VMs: []orca.VM{{HostName: "b", ReservationID: scope.MustName("s", "f", "b").Key}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		before, loadErr := controller.LoadTokens(path)
		tokens, err := controller.OpenTokens(t.Context(), path, slice)
		if err != nil {
			require.NotContains(t, err.Error(), "Planted")
			require.NotContains(t, err.Error(), "\n")
			now, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(data), string(now))
			return
		}
		require.NoError(t, loadErr)
		require.Equal(t, before.Read, tokens.Read)
		for vm, token := range before.Write {
			require.Equal(t, token, tokens.Write[vm])
		}
		require.Contains(t, tokens.Write, slice.VMs[0].ReservationID)
		again, err := controller.LoadTokens(path)
		require.NoError(t, err)
		require.Equal(t, tokens, again)
	})
}
