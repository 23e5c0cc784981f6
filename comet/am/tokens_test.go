package am_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func TestTokensAreSavedAndFoundAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "saved.properties")
	first, err := am.OpenTokens(t.Context(), path, orca.Unit{})
	require.NoError(t, err)
	require.NoError(t, first.Read.Strong())
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	p, err := orca.LoadProperties(path)
	require.NoError(t, err)
	unit, err := orca.NewUnit(p)
	require.NoError(t, err)
	assert.Equal(t, first, unit.Tokens)

	again, err := am.OpenTokens(t.Context(), path, orca.Unit{})
	require.NoError(t, err)
	assert.Equal(t, first, again)
	again, err = am.OpenTokens(t.Context(), path, unit)
	require.NoError(t, err)
	assert.Equal(t, first, again)
}

func TestTokensOfThePropertiesAreSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "saved.properties")
	given := scope.NewTokens()
	tokens, err := am.OpenTokens(t.Context(), path, orca.Unit{Tokens: given})
	require.NoError(t, err)
	assert.Equal(t, given, tokens)
	tokens, err = am.OpenTokens(t.Context(), path, orca.Unit{})
	require.NoError(t, err)
	assert.Equal(t, given, tokens)
}

// A file that is not ours, or not whole, is never overwritten: the tokens in it may be the only ones there are.
func TestFilesThatCannotBeUsedStayAsTheyAre(t *testing.T) {
	for name, text := range map[string]string{
		"other properties": "unit.rid=x\nshirako.save.unit.comet.readToken=PlantedR1\nshirako.save.unit.comet.writeToken=PlantedW1\n",
		"half a pair":      "shirako.save.unit.comet.readToken=PlantedR1\n",
		"a bad line":       "shirako.save.unit.comet.readToken=PlantedR1\nshirako.save.unit.comet.writeToken=PlantedW1\n=x\n",
		"a bad token":      "shirako.save.unit.comet.readToken=Planted\\u0001\nshirako.save.unit.comet.writeToken=PlantedW1\n",
		"other tokens":     "shirako.save.unit.comet.readToken=PlantedR2\nshirako.save.unit.comet.writeToken=PlantedW2\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "saved.properties")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			given := scope.Tokens{Read: scope.MustToken("PlantedR1"), Write: scope.MustToken("PlantedW1")}
			_, err := am.OpenTokens(t.Context(), path, orca.Unit{Tokens: given})
			require.ErrorIs(t, err, am.ErrSaved)
			assert.Contains(t, err.Error(), path)
			assert.NotContains(t, err.Error(), "Planted")
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, text, string(after))
		})
	}
	path := filepath.Join(t.TempDir(), "open.properties")
	_, err := am.OpenTokens(t.Context(), path, orca.Unit{})
	require.NoError(t, err)
	require.NoError(t, os.Chmod(path, 0o644))
	_, err = am.OpenTokens(t.Context(), path, orca.Unit{})
	require.ErrorIs(t, err, am.ErrSaved)
	require.ErrorContains(t, err, "others may read it (mode 0644)")
	_, err = am.OpenTokens(t.Context(), filepath.Join(t.TempDir(), "x"), orca.Unit{Tokens: scope.Tokens{Read: scope.NewToken()}})
	require.ErrorIs(t, err, am.ErrIncomplete)
}

func TestTokensAreLoadedWithoutMakingAny(t *testing.T) {
	path := filepath.Join(t.TempDir(), "saved.properties")
	_, err := am.LoadTokens(path, orca.Unit{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, path)
	assert.NoFileExists(t, path)
	given := scope.NewTokens()
	tokens, err := am.LoadTokens(path, orca.Unit{Tokens: given})
	require.NoError(t, err)
	assert.Equal(t, given, tokens)

	saved, err := am.OpenTokens(t.Context(), path, orca.Unit{})
	require.NoError(t, err)
	tokens, err = am.LoadTokens(path, orca.Unit{})
	require.NoError(t, err)
	assert.Equal(t, saved, tokens)
	_, err = am.LoadTokens(path, orca.Unit{Tokens: given})
	require.ErrorIs(t, err, am.ErrSaved)
	_, err = am.LoadTokens(path, orca.Unit{Tokens: scope.Tokens{Read: given.Read}})
	require.ErrorIs(t, err, am.ErrIncomplete)
}

func TestManyAtOnceGetTheSameTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "saved.properties")
	var all sync.WaitGroup
	got := make([]scope.Tokens, 8)
	for i := range got {
		all.Go(func() {
			var err error
			got[i], err = am.OpenTokens(t.Context(), path, orca.Unit{})
			assert.NoError(t, err)
		})
	}
	all.Wait()
	for _, tokens := range got {
		assert.Equal(t, got[0], tokens)
	}
}
