package server_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/scope"
)

// exportOf exports a store, which it closes.
func exportOf(t *testing.T, s interface {
	server.Store
	contents.Store
}) (f *contents.File, entries []contents.Entry) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, s.Export(t.Context(), &b))
	require.NoError(t, s.Close())
	path := filepath.Join(t.TempDir(), "export")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	f, err := contents.Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	for e, err := range f.All() {
		require.NoError(t, err)
		entries = append(entries, e)
	}
	return f, entries
}

// From a file to etcd and back everything of an entry stays, its owner too.
func TestMovingToEtcdAndBack(t *testing.T) {
	dir, url := t.TempDir(), etcdtest.Start(t, 1).URL("/comet")
	file, err := bolt.Open(filepath.Join(dir, "from.db"))
	require.NoError(t, err)
	tokens := scope.NewTokens()
	at := func(key string) scope.Name { return scope.MustName("slice", "hostsall", key) }
	for key, owner := range map[string]string{"hers": "CN=she,O=Site", "his": "CN=\"he\" <é>", "long": "CN=" + strings.Repeat("x", 1000), "nobody's": ""} {
		_, err := file.Apply(t.Context(), server.Change{Name: at(key), Tokens: tokens, Value: key, Owner: owner, MayCreate: true})
		require.NoError(t, err)
	}
	first, entries := exportOf(t, file)
	require.Len(t, entries, 4)

	_, err = etcd.Import(t.Context(), url, first)
	require.NoError(t, err)
	shared, err := etcd.Open(t.Context(), url)
	require.NoError(t, err)
	second, moved := exportOf(t, shared)
	require.ElementsMatch(t, entries, moved)

	back := filepath.Join(dir, "to.db")
	_, err = bolt.Import(t.Context(), back, second)
	require.NoError(t, err)
	file, err = bolt.Open(back)
	require.NoError(t, err)
	_, err = file.Apply(t.Context(), server.Change{Name: at("hers"), Tokens: tokens, Delete: true, Owner: "CN=he,O=Site"})
	require.ErrorIs(t, err, server.ErrOwner)
	_, moved = exportOf(t, file)
	require.ElementsMatch(t, entries, moved)
}
