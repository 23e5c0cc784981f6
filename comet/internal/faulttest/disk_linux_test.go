package faulttest_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/internal/faulttest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

// A store on a disk that is full takes no more changes until it is opened again, and loses nothing; nor does who keeps tokens on one.
func TestFaultSlicesOnAFullDisk(t *testing.T) {
	if !needs.Mounts(t) {
		return
	}
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		dir, files := smallDisk(t, "8m"), smallDisk(t, "1m")
		store, _ := openBoltIn(t, s, dir)
		heads := comettest.StartOn(t, 3, store)
		disks := faulttest.Part{Name: "disk", Faults: []faulttest.Fault{fullDisk(t, store, dir), fullFiles(t, files)}}
		playSlices(t, s, stage{heads: heads, store: store.Now, changers: 2, dir: files}, disks, faulttest.HeadParts(heads)...)
	})
}

// A guest whose disk is full goes on once there is room; until then each file is as it was.
func TestFaultGuestsOnFullDisks(t *testing.T) {
	if !needs.Mounts(t) {
		return
	}
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		store, restarts := openBolt(t, s)
		playGuests(t, s, site{
			heads: comettest.StartOn(t, 3, store), liars: comettest.StartOn(t, 3, store), store: store.Now,
			disk: func(folder string) { needs.Mount(t, "tmpfs", folder, "tmpfs", 0, "size=1m") },
		}, restarts)
	})
}

func smallDisk(t *testing.T, size string) (dir string) {
	dir = t.TempDir()
	needs.Mount(t, "tmpfs", dir, "tmpfs", 0, "size="+size)
	return dir
}

// fullFiles fills the disk of token files and saved properties.
func fullFiles(t *testing.T, dir string) faulttest.Fault {
	ballast := filepath.Join(dir, "ballast")
	return faulttest.Fault{
		Name:   "of token files is full",
		Strike: func() { assert.ErrorIs(t, fill(ballast), unix.ENOSPC) },
		Mend:   func() { assert.NoError(t, os.Remove(ballast)) },
		Lasts:  faulttest.Variable,
	}
}

// fullDisk fills the disk, sees that the store notices, and makes room again.
func fullDisk(t *testing.T, store *faulttest.Store, dir string) faulttest.Fault {
	ballast := filepath.Join(dir, "ballast")
	big := server.Change{
		Name:   scope.MustName("big", "f", "k"),
		Tokens: scope.NewTokens(), MayCreate: true,
		Value: strings.Repeat("x", server.MaxValue),
	}
	return faulttest.Fault{
		Name: "of the store is full",
		Strike: func() {
			assert.ErrorIs(t, fill(ballast), unix.ENOSPC)
			_, err := store.Apply(context.Background(), big)
			assert.ErrorIs(t, err, server.ErrBroken)
		},
		Mend: func() {
			assert.NoError(t, os.Remove(ballast))
			assert.NoError(t, store.Close())
			assert.NoError(t, store.Reopen())
		},
	}
}
