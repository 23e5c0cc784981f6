package storage_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
)

func TestDisksThatAreNotWantedAnyMore(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.disk(target2, 1, 8)
	other := v.element("dev1", 1)
	other.ChapUser, other.ChapSecret = "b", scope.Hide("b")
	v.write("secrets/"+target2, "b")
	v.write("secrets/"+target, "a")
	one := v.element("dev0", 1)
	one.ChapUser, one.ChapSecret = "a", scope.Hide("a")
	v.want(one, other)
	v.done()
	require.Len(t, v.mounts(), 2)

	v.wanted.Whole = false
	v.want(other)
	assert.Contains(t, said(v.done(), "storage"), "warning: what nobody asks for any more stays")
	assert.Contains(t, v.read("/etc/fstab"), "/srv/dev0", "nobody has said that it is not wanted")

	v.wanted.Whole = true
	report := v.done()
	assert.Equal(t, []string{"log in to " + target + " no more at boot", "write /etc/fstab"}, report.Done)
	assert.Regexp(t, "is not wanted any more, but /dev/loop[0-9]+ is mounted at /srv/dev0: it stays", said(report, "storage dev0"))
	assert.Len(t, v.mounts(), 2)
	assert.NotContains(t, v.read("/etc/fstab"), "/srv/dev0")

	require.NoError(t, os.Remove("/etc/fstab"))
	one.ShouldAttach = "NO"
	v.want(one, other)
	v.wanted.Whole = false
	require.NoError(t, unmount("/srv/dev0"))
	report = v.done()
	assert.Contains(t, report.Done, "log out of "+target)
	assert.Equal(t, []string{"/srv/dev1"}, v.mounts())
	assert.NotContains(t, v.read(filepath.Join(v.world, "sessions")), target)

	one.ShouldAttach = "yes"
	v.want(one, other)
	v.done()
	assert.ElementsMatch(t, []string{"/srv/dev0", "/srv/dev1"}, v.mounts())
}

// Each step that logs out leaves in the ledger what others have noted there.
func TestADiskOfTwoTargetsThatIsNotWantedAnyMore(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.disk(target2, 1, 8)
	v.want(v.element("dev0", 1))
	v.done()
	require.Contains(t, v.read(ledger), `"logins":["`+target+`","`+target2+`"]`)
	v.want()
	plan, err := v.module.Plan(t.Context())
	require.NoError(t, err)
	require.Len(t, plan.Steps, 2)
	for _, s := range plan.Steps {
		require.NoError(t, s.Do(t.Context()))
	}
	assert.NotContains(t, v.read(ledger), `"logins"`)
}
