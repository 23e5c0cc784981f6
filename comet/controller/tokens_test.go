package controller_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

// tokensOf creates a slice and returns its tokens.
func tokensOf(t *testing.T, heads *comettest.Heads, path string, s orca.Slice) (controller.Tokens, error) {
	done, err := controller.New(heads.Client(), both).Create(t.Context(), path, s)
	return done.Tokens, err
}

func TestTokensAreMadeOnceAndKept(t *testing.T) {
	heads, s, path := comettest.Start(t, 1), demo(t), filepath.Join(t.TempDir(), "tokens.json")
	tokens, err := tokensOf(t, heads, path, s)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode())

	all := map[scope.Token]bool{tokens.Read: true}
	for _, vm := range s.VMs {
		all[tokens.Of(vm.ReservationID).Write] = true
	}
	assert.Len(t, all, 4, "all different")
	for token := range all {
		require.NoError(t, token.Strong())
		require.NoError(t, token.Portable())
	}

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	again, err := tokensOf(t, heads, path, s)
	require.NoError(t, err)
	assert.Equal(t, tokens, again)
	unchanged, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, text, unchanged)
}

func TestTokensOfNewVMsAreAdded(t *testing.T) {
	heads, s, path := comettest.Start(t, 1), demo(t), filepath.Join(t.TempDir(), "tokens.json")
	first := s
	first.VMs = s.VMs[:1]
	before, err := tokensOf(t, heads, path, first)
	require.NoError(t, err)
	assert.Len(t, before.Write, 1)
	after, err := tokensOf(t, heads, path, s)
	require.NoError(t, err)
	assert.Len(t, after.Write, 3)
	assert.Equal(t, before.Of(s.VMs[0].ReservationID), after.Of(s.VMs[0].ReservationID))
	fewer, err := tokensOf(t, heads, path, first)
	require.NoError(t, err)
	assert.Equal(t, after, fewer, "nothing is forgotten of VMs that left")
}

// looking is a store that says when it is first asked.
type looking struct {
	server.Store
	once  sync.Once
	first func()
}

func (l *looking) Read(ctx context.Context, name scope.Name, read scope.Token) (server.Entry, bool, error) {
	l.once.Do(l.first)
	return l.Store.Read(ctx, name, read)
}

func (l *looking) Apply(ctx context.Context, changes ...server.Change) ([]server.Result, error) {
	l.once.Do(l.first)
	return l.Store.Apply(ctx, changes...)
}

func TestTokensAreOnDiskBeforeAnyHeadSeesThem(t *testing.T) {
	s, path := demo(t), filepath.Join(t.TempDir(), "tokens.json")
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	defer store.Close()
	var onDisk controller.Tokens
	heads := comettest.StartOn(t, 1, &looking{Store: store, first: func() { onDisk, _ = controller.LoadTokens(path) }})
	tokens, err := tokensOf(t, heads, path, s)
	require.NoError(t, err)
	assert.Equal(t, tokens, onDisk)
}

func TestTokenFilesThatMakeNoSense(t *testing.T) {
	const planted = "plantedToken7Xq"
	heads, s := comettest.Start(t, 1), demo(t)
	good := `{"sliceId":"` + s.ID.String() + `","readToken":"` + planted + `","writeTokens":{"r":"` + planted + `w"}}`
	require.True(t, json.Valid([]byte(good)))
	tests := []struct {
		name, text string
		mode       fs.FileMode
		want       string
	}{
		{"readable by the group", good, 0o640, "may be read by others (mode 0640)"},
		{"readable by all", good, 0o604, "may be read by others (mode 0604)"},
		{"another slice", strings.Replace(good, s.ID.String(), "other", 1), 0o600, "belongs to slice other, not to " + s.ID.String()},
		{"cut short", good[:len(good)-9], 0o600, "is not what this program writes"},
		{"empty", "", 0o600, "is not what this program writes"},
		{"no JSON", "readToken=" + planted, 0o600, "is not what this program writes"},
		{"a list", `["` + planted + `"]`, 0o600, "is not what this program writes"},
		{"two", good + good, 0o600, "is not what this program writes"},
		{"no slice", `{"readToken":"` + planted + `"}`, 0o600, "sliceId: context is empty"},
		{"no read token", `{"sliceId":"s","writeTokens":{"r":"` + planted + `"}}`, 0o600, "readToken: token is empty"},
		{"a bad token", strings.Replace(good, planted+"w", planted+`\n`, 1), 0o600, "writeTokens, r: token has a control character (U+000A)"},
		{"a bad key", strings.Replace(good, `"r"`, `""`, 1), 0o600, "writeTokens: key is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			require.NoError(t, os.WriteFile(path, []byte(tt.text), 0o600))
			require.NoError(t, os.Chmod(path, tt.mode))
			_, err := tokensOf(t, heads, path, s)
			require.ErrorContains(t, err, tt.want)
			assert.Contains(t, err.Error(), path)
			assert.NotContains(t, err.Error(), planted)
			assert.NotContains(t, err.Error(), "\n")
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, tt.text, string(after), "the file stays")
		})
	}
}

func TestTokenFilesThatCannotBe(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	_, err := controller.LoadTokens(filepath.Join(t.TempDir(), "tokens.json"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	for name, path := range map[string]string{
		"a folder":  t.TempDir(),
		"no folder": filepath.Join(t.TempDir(), "missing", "tokens.json"),
	} {
		t.Run(name, func(t *testing.T) {
			tokens, err := tokensOf(t, heads, path, s)
			require.ErrorContains(t, err, path)
			assert.Zero(t, tokens, "tokens that are not on disk must not be used")
		})
	}
}

func TestManyAtOnceGetTheSameTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	heads, s := comettest.Start(t, 1), demo(t)
	var all sync.WaitGroup
	got := make([]controller.Tokens, 8)
	for i := range got {
		all.Go(func() {
			var err error
			got[i], err = tokensOf(t, heads, path, s)
			assert.NoError(t, err)
		})
	}
	all.Wait()
	for _, tokens := range got {
		assert.Equal(t, got[0], tokens)
	}
}
