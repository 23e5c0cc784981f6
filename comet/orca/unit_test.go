package orca_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// TestUnitsMatchUserData holds the two descriptions of each VM of the slice against each other.
func TestUnitsMatchUserData(t *testing.T) {
	for _, file := range fixtures(t, "../../testdata/slice/*.properties") {
		p, err := orca.ParseProperties(file.data)
		require.NoError(t, err)
		unit, err := orca.NewUnit(p)
		require.NoError(t, err)
		userData, err := orca.LoadUserData(strings.TrimSuffix(file.path, ".properties") + ".userdata.ini")
		require.NoError(t, err)
		assert.Equal(t, userData.Identity, unit.Identity, file.path)
		assert.Zero(t, unit.Tokens, "the properties are from before the tokens were made")
	}
}

func TestNewUnit(t *testing.T) {
	p, err := orca.ParseProperties([]byte(`
unit.sliceid=6d3de7cc-7188-49b2-af48-f21497450d84
unit.rid = 2c93dae4-9fb6-4d2e-bae0-b404aa06e36b 
unit.hostname=workers/0
unit.isrouter=${unit.isrouter}
unit.url=
shirako.save.unit.manage.ip=152.54.14.30
shirako.save.unit.ec2.host=worker-7
shirako.save.unit.ec2.instance=i-1
shirako.save.unit.comet.readToken=savedRead1
unit.comet.readToken=bareRead1
unit.comet.writeToken=bareWrite1
slice.comet.readToken=sliceRead1
slice.comet.writeToken=sliceWrite1
unit.comet.hosts.group.read=all, workers
unit.comet.hosts.group.write=all
unit.comet.pubkeys.group.read=Not Specified
`))
	require.NoError(t, err)
	got, err := orca.NewUnit(p)
	require.NoError(t, err)
	sliceID, err := scope.ParseContextID("6d3de7cc-7188-49b2-af48-f21497450d84")
	require.NoError(t, err)
	rid, err := scope.ParseKey("2c93dae4-9fb6-4d2e-bae0-b404aa06e36b")
	require.NoError(t, err)
	assert.Equal(t, orca.Unit{
		Identity: orca.Identity{SliceID: sliceID, ReservationID: rid, HostName: "workers-0", ManagementIP: "152.54.14.30",
			PhysicalHost: "worker-7", NovaID: "i-1"},
		Tokens: scope.Tokens{Read: scope.MustToken("savedRead1"), Write: scope.MustToken("bareWrite1")},
		Slice: orca.SliceAccess{
			Tokens:     scope.Tokens{Read: scope.MustToken("sliceRead1"), Write: scope.MustToken("sliceWrite1")},
			HostsRead:  []string{"all", "workers"},
			HostsWrite: []string{"all"},
		},
	}, got)
}

func TestNewUnitErrors(t *testing.T) {
	for text, want := range map[string]string{
		"\nunit.comet.readToken=hunter2\\n\\u0007x\n":  "line 2: unit.comet.readToken: has a control character (U+000A)",
		"slice.comet.writeToken=hunter2\\u0007x\n":     "line 1: slice.comet.writeToken: has a control character (U+0007)",
		"unit.sliceid=" + strings.Repeat("x", 2000):    "line 1: unit.sliceid: is longer than 1024 bytes",
		"a=b\n\n\nunit.rid=hunter2\\u0000\n":           "line 4: unit.rid: has a control character (U+0000)",
		"shirako.save.unit.comet.writeToken=a\\u0001b": "line 1: shirako.save.unit.comet.writeToken: has a control character (U+0001)",
	} {
		p, err := orca.ParseProperties([]byte(text))
		require.NoError(t, err)
		_, err = orca.NewUnit(p)
		assert.EqualError(t, err, want)
	}
}

func TestSliceAccessProperties(t *testing.T) {
	access := orca.SliceAccess{
		Tokens:    scope.Tokens{Read: scope.MustToken("sliceRead1"), Write: scope.MustToken("sliceWrite1")},
		HostsRead: []string{"all", "workers"}, HostsWrite: []string{"all"},
		PubKeysRead: []string{"all"}, PubKeysWrite: []string{"all"},
	}
	assert.Equal(t, `slice.comet.readToken=sliceRead1
slice.comet.writeToken=sliceWrite1
unit.comet.hosts.group.read=all,workers
unit.comet.hosts.group.write=all
unit.comet.pubkeys.group.read=all
unit.comet.pubkeys.group.write=all
`, string(orca.FormatProperties(access.Properties()...)))

	unit, err := orca.NewUnit(orca.NewProperties(access.Properties()...))
	require.NoError(t, err)
	assert.Equal(t, access, unit.Slice)
	assert.Empty(t, orca.SliceAccess{}.Properties())
}
