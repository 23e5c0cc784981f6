package faulttest_test

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

// check compares what is there with what was done.
func (m *motion) check(client *comet.Client) {
	shown, err := client.List(m.t.Context(), m.slice.ID, scope.Family{}, m.tokens.Read)
	require.NoError(m.t, err)
	want, got := map[scope.Name]string{}, map[scope.Name]string{}
	for key, v := range m.vms {
		for _, name := range m.placeHolders(key) {
			want[name] = string(scope.Encode(scope.PubKey{PublicKey: keyOf(v)}))
			if strings.HasPrefix(name.Family.String(), "hosts") {
				want[name] = string(scope.Encode(scope.Host{HostName: v.unit.HostName, IP: address}))
			}
		}
	}
	for _, e := range shown {
		got[e.Name] = string(e.Value)
	}
	assert.Equal(m.t, want, got, "what the slice's read token shows")
	for _, v := range m.vms {
		m.checkVM(client, v)
	}
	m.checkFiles()
}

func (m *motion) checkVM(client *comet.Client, v *vm) {
	ctx, id, key, read := m.t.Context(), m.slice.ID, v.unit.ReservationID, v.unit.Tokens.Read
	users, err := client.Users(ctx, id, key, read)
	require.NoError(m.t, err)
	assert.Equal(m.t, v.put.Users, users)
	scripts, err := client.Scripts(ctx, id, key, read)
	require.NoError(m.t, err)
	assert.Equal(m.t, v.put.Scripts, scripts)
	routes, err := client.Routes(ctx, id, key, read)
	require.NoError(m.t, err)
	var want, got []string
	for network, there := range v.routes {
		if there {
			want = append(want, network)
		}
	}
	for _, r := range routes {
		got = append(got, r.Network)
	}
	assert.ElementsMatch(m.t, want, got, "routes of VM %s", key)
	shown, err := client.List(ctx, id, scope.Family{}, read)
	require.NoError(m.t, err)
	assert.Len(m.t, shown, len(scope.InstanceFamilies()))
}

// checkFiles makes sure that nobody else can read the tokens, and that nothing lies beside them.
func (m *motion) checkFiles() {
	list, err := os.ReadDir(m.dir)
	require.NoError(m.t, err)
	for _, f := range list {
		info, err := f.Info()
		require.NoError(m.t, err)
		assert.Zero(m.t, info.Mode()&0o077, f.Name())
		ext := filepath.Ext(strings.TrimSuffix(f.Name(), ".lock"))
		assert.Contains(m.t, []string{".json", ".properties"}, ext, "%s is left", f.Name())
	}
}
