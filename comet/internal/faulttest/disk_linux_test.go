package faulttest_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/internal/faulttest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

// A store on a disk that is full takes no more changes until it is opened again, and loses nothing.
func TestFaultSlicesOnAFullDisk(t *testing.T) {
	if !needs.Mounts(t) {
		return
	}
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		dir := t.TempDir()
		needs.Mount(t, "tmpfs", dir, "tmpfs", 0, "size=8m")
		store, err := faulttest.Open(func() (server.Store, error) { return bolt.Open(filepath.Join(dir, "comet.db")) })
		require.NoError(t, err)
		t.Cleanup(func() { store.Close() })
		heads := comettest.StartOn(t, 3, store)
		playSlices(t, s, stage{heads: heads, store: store.Now, changers: 2}, fullDisk(t, store, dir), faulttest.HeadParts(heads)...)
	})
}

// fullDisk fills the disk, sees that the store notices, and makes room again.
func fullDisk(t *testing.T, store *faulttest.Store, dir string) faulttest.Part {
	ballast := filepath.Join(dir, "ballast")
	big := server.Change{
		Name:   scope.MustName("big", "f", "k"),
		Tokens: scope.NewTokens(), MayCreate: true,
		Value: strings.Repeat("x", server.MaxValue),
	}
	return faulttest.Part{Name: "disk", Faults: []faulttest.Fault{{
		Name: "is full",
		Strike: func() {
			assert.ErrorIs(t, os.WriteFile(ballast, make([]byte, 16<<20), 0o600), unix.ENOSPC)
			_, err := store.Apply(context.Background(), big)
			assert.ErrorIs(t, err, server.ErrBroken)
		},
		Mend: func() {
			assert.NoError(t, os.Remove(ballast))
			assert.NoError(t, store.Close())
			assert.NoError(t, store.Reopen())
		},
	}}}
}
