package controller_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

func TestCreatePutsDownThePlaceHoldersOfEveryVM(t *testing.T) {
	client, s := comettest.Start(t, 2).Client(), demo(t)
	tokens, file := open(t, s)
	require.NoError(t, created(controller.New(client, both).Create(t.Context(), file, s)))
	assert.Equal(t, map[string]string{
		"hostsall/2c93dae4-9fb6-4d2e-bae0-b404aa06e36b":   `{"val_":"[{\"hostName\":\"workers-0\",\"ip\":\"\"}]"}`,
		"hostsall/aa491da3-3f23-4a5a-9b9e-33f98884570b":   `{"val_":"[{\"hostName\":\"workers-1\",\"ip\":\"\"}]"}`,
		"hostsall/ed3b1f0c-5a70-4a83-8f9c-6f2d8b6ad0b7":   `{"val_":"[{\"hostName\":\"master\",\"ip\":\"\"}]"}`,
		"pubkeysall/2c93dae4-9fb6-4d2e-bae0-b404aa06e36b": `{"val_":"[{\"publicKey\":\"\"}]"}`,
		"pubkeysall/aa491da3-3f23-4a5a-9b9e-33f98884570b": `{"val_":"[{\"publicKey\":\"\"}]"}`,
		"pubkeysall/ed3b1f0c-5a70-4a83-8f9c-6f2d8b6ad0b7": `{"val_":"[{\"publicKey\":\"\"}]"}`,
	}, seen(t, client, s, tokens))
}

func TestCreateKnowsGroupsAndTypes(t *testing.T) {
	s := parse(t, `{"sliceId":"s","groups":["a","b"],"vms":[
		{"hostName":"workers/0","reservationId":"r0","type":"site.VM"},
		{"hostName":"metal","reservationId":"r1","type":"site.baremetalce"},
		{"hostName":"disk","reservationId":"r2","type":"site.lun"},
		{"hostName":"plain","reservationId":"r3"},
		{"hostName":"lan","reservationId":"r4","type":"site.vlan"}]}`)
	client := comettest.Start(t, 1).Client()
	for _, tt := range []struct {
		name     string
		settings controller.Settings
		families map[string]bool // of hosts or not
	}{
		{"hosts and keys", both, map[string]bool{"hostsa": true, "hostsb": true, "pubkeysa": false, "pubkeysb": false}},
		{"hosts", controller.Settings{Hosts: true}, map[string]bool{"hostsa": true, "hostsb": true}},
		{"keys", controller.Settings{PubKeys: true}, map[string]bool{"pubkeysa": false, "pubkeysb": false}},
		{"neither", controller.Settings{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tokens, file := open(t, s) // other tokens, so other entries
			require.NoError(t, created(controller.New(client, tt.settings).Create(t.Context(), file, s)))
			want := map[string]string{}
			for family, ofHosts := range tt.families {
				for key, hostName := range map[string]string{"r0": "workers-0", "r1": "metal", "r2": "disk", "r3": "plain"} {
					want[family+"/"+key] = noKey
					if ofHosts {
						want[family+"/"+key] = noIP(hostName)
					}
				}
			}
			assert.Equal(t, want, seen(t, client, s, tokens))
		})
	}
}

func TestEachVMHasAWriteTokenOfItsOwn(t *testing.T) {
	client, s := comettest.Start(t, 1).Client(), demo(t)
	tokens, file := open(t, s)
	require.NoError(t, created(controller.New(client, both).Create(t.Context(), file, s)))
	others := tokens.Of(s.VMs[1].ReservationID)
	name := scope.Name{Context: s.ID, Family: scope.MustFamily("hostsall"), Key: s.VMs[0].ReservationID}
	_, err := client.Write(t.Context(), name, others, []byte(hisIP))
	require.ErrorIs(t, err, comet.ErrUnauthorized)
}

func TestRepeatedCreateKeepsWhatAVMHasFilledIn(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	client := heads.Client()
	tokens, file := open(t, s)
	c := controller.New(client, both)
	require.NoError(t, created(c.Create(t.Context(), file, s)))
	filled := report(t, heads, s, tokens, s.VMs[1])
	before := seen(t, client, s, tokens)
	require.NoError(t, created(c.Create(t.Context(), file, s)))
	after := seen(t, client, s, tokens)
	assert.Equal(t, before, after)
	assert.Subset(t, after, filled)
	assert.Len(t, after, 6)
}

func TestCreateAddsVMsToASliceThatStands(t *testing.T) {
	client, s := comettest.Start(t, 1).Client(), demo(t)
	first := s
	first.VMs = s.VMs[:1]
	tokens, file := open(t, s)
	require.NoError(t, created(controller.New(client, both).Create(t.Context(), file, first)))
	assert.Len(t, seen(t, client, s, tokens), 2)
	require.NoError(t, created(controller.New(client, both).Create(t.Context(), file, s)))
	assert.Len(t, seen(t, client, s, tokens), 6)
}

func TestCreateRefusesTokensThatDoNotFit(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	c := controller.New(heads.Client(), both)
	_, other := open(t, parse(t, `{"sliceId":"other","vms":[{"hostName":"a","reservationId":"r"}]}`))
	assert.ErrorContains(t, created(c.Create(t.Context(), other, s)), "belongs to slice other")
	assert.Zero(t, heads.Calls(0, ""), "no head is asked")
}

// What stands under a write token that the file has not would be kept, and the VM told one that heads refuse.
func TestCreateRefusesVMsThatAreNotOfItsTokens(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	tokens, file := open(t, s)
	c := controller.New(heads.Client(), both)
	require.NoError(t, created(c.Create(t.Context(), file, s)))
	delete(tokens.Write, s.VMs[1].ReservationID)
	keep(t, file, tokens)
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	err = created(c.Create(t.Context(), file, s))
	require.ErrorIs(t, err, comet.ErrNoWriteToken)
	assert.ErrorContains(t, err, "VM workers-1 ("+s.VMs[1].ReservationID.String()+") stands already")
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after), "no token was made")
}

// Two VMs of one name would answer for each other.
func TestCreateRefusesAHostNameThatIsTaken(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	path := filepath.Join(t.TempDir(), "tokens.json")
	c := controller.New(heads.Client(), both)
	require.NoError(t, created(c.Create(t.Context(), path, s)))
	other := parse(t, `{"sliceId":"`+s.ID.String()+`","vms":[{"hostName":"Master","reservationId":"r9"}]}`)
	require.ErrorIs(t, created(c.Create(t.Context(), path, other)), controller.ErrNameTaken)
	require.NoError(t, deleted(c.Withdraw(t.Context(), path, s.VMs[2].ReservationID)))
	require.NoError(t, created(c.Create(t.Context(), path, other)), "it is free again")
}

// On a deployed head an entry that an older program deleted can neither be read nor written.
func TestCreateDoesNotTakeADeletedEntryForOneThatStands(t *testing.T) {
	heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t)
	heads.Set(0, comettest.Answer(200, "application/json",
		`{"status":"OK","message":"success","value":{"error":"Failed to write scope: scope already deleted."},"version":"1.0.5"}`).On("writeScope"))
	_, file := open(t, s)
	err := created(controller.New(heads.Client(), both).Create(t.Context(), file, s))
	require.ErrorIs(t, err, comet.ErrConflict)
}

func TestAccessIsWhatAVMIsTold(t *testing.T) {
	s := parse(t, `{"sliceId":"s","groups":["a","b"],"vms":[{"hostName":"n","reservationId":"r"},{"hostName":"l","reservationId":"v","type":"x.vlan"}]}`)
	tokens, _ := open(t, s)
	properties := func(c controller.Settings, vm orca.VM) map[string]string {
		got := map[string]string{}
		for _, kv := range controller.New(nil, c).Access(s, tokens, vm).Properties() {
			got[kv.Key] = kv.Value.Reveal()
		}
		return got
	}
	pair := tokens.Of(s.VMs[0].ReservationID)
	assert.Equal(t, map[string]string{
		"slice.comet.readToken": pair.Read.Reveal(), "slice.comet.writeToken": pair.Write.Reveal(),
		"unit.comet.hosts.group.read": "a,b", "unit.comet.hosts.group.write": "a,b",
		"unit.comet.pubkeys.group.read": "a,b", "unit.comet.pubkeys.group.write": "a,b",
	}, properties(both, s.VMs[0]))
	assert.Equal(t, map[string]string{
		"slice.comet.readToken": pair.Read.Reveal(), "slice.comet.writeToken": pair.Write.Reveal(),
		"unit.comet.hosts.group.read": "a,b", "unit.comet.hosts.group.write": "a,b",
	}, properties(controller.Settings{Hosts: true}, s.VMs[0]))
	assert.Empty(t, properties(controller.Settings{}, s.VMs[0]), "without place-holders there is nothing to see")
	assert.Empty(t, properties(both, s.VMs[1]), "nor for what has no context")
}

func TestSettingsComeFromThePropertiesFile(t *testing.T) {
	config, err := orca.LoadConfig("../../testdata/orca/controller.properties")
	require.NoError(t, err)
	assert.Equal(t, both, controller.FromConfig(config))
	config, err = orca.ParseConfig([]byte("orca.comet.hosts.enabled=true\norca.comet.pubkeys.enabled=false\n"))
	require.NoError(t, err)
	assert.Equal(t, controller.Settings{Hosts: true}, controller.FromConfig(config))
}
