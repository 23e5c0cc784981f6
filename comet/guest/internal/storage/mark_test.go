package storage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/testdata/netns"
)

// A guest that is closed while mkfs goes on, for another one with other settings, notes how that ends all the same.
func TestAClosedGuestNotesHowMkfsEnds(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	before := v.module
	midway(v, "true")
	v.reopen()
	v.write("cut", "")
	v.write("on", "go on\n")
	require.NoError(t, before.Wait(t.Context()))
	assert.Contains(t, v.read(ledger), `"state":"made"`)
	v.done()
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
	assert.Equal(t, 1, v.made())
}

// One pass begins with a file system, and that of another guest goes on from there.
func TestGuestsOfOnePass(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	v.mkfsIs("exec $real \"$@\"")
	for range 2 {
		require.NoError(t, v.apply().Err)
		require.NoError(t, v.module.Wait(t.Context()))
		v.restart()
	}
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
	assert.Equal(t, 1, v.made())
}

// By its mark a mkfs is known that has ended well when no guest was there to see it.
func TestMkfsThatNobodyHasSeenEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		marked, mounted bool
		made            int
		said            string
	}{
		"marked":            {marked: true, made: 1},
		"marked and used":   {marked: true, mounted: true, made: 1},
		"cut short":         {made: 2},
		"unmarked and used": {mounted: true, made: 1, said: "was mounted since its file system was begun: it is left alone"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			disk := v.disk(target, 1, 8)
			e := v.element("dev0", 1)
			v.want(e)
			v.mkfsIs("exec $real \"$@\"")
			require.NoError(t, v.apply().Err)
			require.NoError(t, v.module.Wait(t.Context()))
			netns.Write(t, ledger, strings.ReplaceAll(v.read(ledger), `"state":"made"`, `"state":"making"`), 0o600)
			if !tt.marked {
				require.NoError(t, os.Remove(filepath.Dir(ledger)+"/storage/dev0.made"))
			}
			if tt.mounted {
				require.NoError(t, os.Mkdir("/srv/hand", 0o755))
				require.NoError(t, unix.Mount(disk, "/srv/hand", "ext4", 0, ""))
				netns.Write(t, "/srv/hand/mark", "mark", 0o600)
			}
			v.reboot()
			report := v.done()
			assert.Equal(t, tt.made, v.made())
			if tt.said != "" {
				assert.Contains(t, said(report, "storage dev0"), tt.said)
				assert.Empty(t, v.mounts())
				return
			}
			assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
			if tt.mounted {
				assert.Equal(t, "mark", v.read("/srv/dev0/mark"))
			}
		})
	}
}

// What was made and marked is not made again, though somebody has taken it away since.
func TestWhatWasMadeIsGone(t *testing.T) {
	v := newVM(t)
	disk := v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	require.NoError(t, v.apply().Err)
	require.NoError(t, v.module.Wait(t.Context()))
	netns.Write(t, ledger, strings.ReplaceAll(v.read(ledger), `"state":"made"`, `"state":"making"`), 0o600)
	put(t, disk, 0, strings.Repeat("\x00", mib))
	v.restart()
	assert.Contains(t, said(v.done(), "storage dev0"), "does not hold the ext4 any more that was made there: it is left alone")
}
