package controller_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzLoadTokens: a file gives whole tokens, the same each time, or is refused in one line that quotes nothing of it.
func FuzzLoadTokens(f *testing.F) {
	path := filepath.Join(f.TempDir(), "tokens")
	f.Add([]byte(`{"sliceId":"s","groups":["all"],"vms":[{"hostName":"a","reservationId":"a"}],"readToken":"Planted-Read-1","writeTokens":{"a":"Planted-Write-1"}}`))
	f.Add([]byte(`{"sliceId":"s","readToken":"Planted","writeTokens":{"a":"Planted\u0007"}}`))
	f.Add([]byte(`{"sliceId":"s","readToken":"Planted","readToken":["Planted"],"writeTokens":{"":"Planted"}}`))
	f.Add([]byte(`{"sliceId":"s","vms":[{"reservationId":"Planted\u0000"}],"withdrawn":[null],"readToken":"Planted"}Planted`))
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		tokens, err := controller.LoadTokens(path)
		if err != nil {
			require.ErrorContains(t, err, path)
			require.NotContains(t, err.Error(), "Planted")
			plant.RequireLine(t, err.Error())
			return
		}
		require.False(t, tokens.SliceID.IsZero() || tokens.Read.IsZero())
		for vm, token := range tokens.Write {
			require.False(t, vm.IsZero() || token.IsZero())
		}
		again, err := controller.LoadTokens(path)
		require.NoError(t, err)
		require.Equal(t, tokens, again)
	})
}
