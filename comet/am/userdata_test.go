package am_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// What the aggregate manager makes of a VM's properties and tokens is the very file that the VM finds.
func TestUserDataVectors(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/slice/*.userdata.ini")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			told, err := orca.LoadUserData(path)
			require.NoError(t, err)
			unit, _ := load(t, strings.TrimSuffix(filepath.Base(path), ".userdata.ini"))
			unit.Tokens.Read, unit.Slice = told.ReadToken, told.Slice
			got, err := userData(t, unit, am.Heads{List: told.CometHost}).INI()
			require.NoError(t, err)
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got))
		})
	}
}

func userData(t *testing.T, unit orca.Unit, heads am.Heads) orca.UserData {
	t.Helper()
	u, err := am.UserData(unit, heads)
	require.NoError(t, err)
	return u
}

// User data by which a VM could not tell who it is, or would call itself what it cannot be called, is not written.
func TestUserDataIsOfAVM(t *testing.T) {
	for want, spoil := range map[string]func(*orca.Unit){
		"unit properties are incomplete: unit.sliceid is not set": func(u *orca.Unit) { u.SliceID = scope.ContextID{} },
		"unit properties are incomplete: unit.rid is not set":     func(u *orca.Unit) { u.ReservationID = scope.Key{} },
		"unit.hostname: is not a host name":                       func(u *orca.Unit) { u.HostName = "a b" },
		"unit.isrouter: is not one of true, false, user":          func(u *orca.Unit) { u.Router = "perhaps" },
	} {
		unit, _ := load(t, "master")
		spoil(&unit)
		_, err := am.UserData(unit, am.Heads{})
		require.EqualError(t, err, want)
	}
	unit, _ := load(t, "master")
	unit.HostName, unit.Router = "", "True"
	userData(t, unit, am.Heads{})
}

func TestUserDataTellsWhichHeadsToTrust(t *testing.T) {
	unit, _ := load(t, "master")
	unit.Slice = orca.SliceAccess{Tokens: scope.NewTokens(), HostsRead: []string{"a", "b"}}
	heads := am.Heads{List: "https://a:8111/,https://b:8111/", CACert: []byte{0x30, 0, 0xff}, ServerName: "comet.example.net"}
	text, err := userData(t, unit, heads).INI()
	require.NoError(t, err)
	assert.NotContains(t, string(text), unit.Tokens.Write.Reveal(), "it stays with the aggregate manager")

	told, err := orca.ParseUserData(text)
	require.NoError(t, err)
	assert.Equal(t, unit.Identity, told.Identity)
	assert.Equal(t, unit.Tokens.Read, told.ReadToken)
	assert.Equal(t, unit.Slice, told.Slice)
	assert.Equal(t, heads, am.Heads{List: told.CometHost, CACert: told.CACert, ServerName: told.ServerName})
}

func TestUserDataWithoutHeadsNamesNone(t *testing.T) {
	unit, _ := load(t, "master")
	text, err := userData(t, unit, am.Heads{}).INI()
	require.NoError(t, err)
	for _, field := range []string{"comethost", "cometcacert", "cometservername", "slicecomet"} {
		assert.NotContains(t, string(text), field)
	}
}
