package orca_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

func TestLoadSlice(t *testing.T) {
	s, err := orca.LoadSlice("../../testdata/slice/slice.json")
	require.NoError(t, err)
	assert.Equal(t, "6d3de7cc-7188-49b2-af48-f21497450d84", s.ID.String())
	assert.Equal(t, []string{"all"}, s.Groups)
	require.Len(t, s.VMs, 3)
	for _, vm := range s.VMs {
		assert.True(t, vm.NeedsContext())
		assert.False(t, vm.IsLUN())
		p, err := orca.LoadProperties(vm.Properties)
		require.NoError(t, err)
		unit, err := orca.NewUnit(p)
		require.NoError(t, err)
		u, err := orca.LoadUserData(vm.UserData)
		require.NoError(t, err)
		assert.Equal(t, []string{unit.HostName, u.HostName}, []string{vm.HostName, vm.HostName})
		assert.Equal(t, []scope.Key{unit.ReservationID, u.ReservationID}, []scope.Key{vm.ReservationID, vm.ReservationID})
		assert.Equal(t, unit.ManagementIP, vm.PublicIP)
	}
}

func TestLoadSliceResolvesPaths(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "slice.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`
sliceId: s1
groups: [all, workers]
vms:
- {hostName: workers/0, reservationId: r0, type: rcivmsite.vm, properties: sub/a.properties, userData: /abs/a.ini, publicIp: "2001:db8::1"}
- hostName: store
  reservationId: r1
  type: lun
`), 0o600))
	s, err := orca.LoadSlice(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"all", "workers"}, s.Groups)
	assert.Equal(t, "workers-0", s.VMs[0].HostName)
	assert.Equal(t, filepath.Join(dir, "sub/a.properties"), s.VMs[0].Properties)
	assert.Equal(t, "/abs/a.ini", s.VMs[0].UserData)
	assert.Equal(t, "2001:db8::1", s.VMs[0].PublicIP)
	assert.Empty(t, s.VMs[1].Properties)
	assert.True(t, s.VMs[1].IsLUN())

	data, err := os.ReadFile(path)
	require.NoError(t, err)
	parsed, err := orca.ParseSlice(data)
	require.NoError(t, err)
	assert.Equal(t, "sub/a.properties", parsed.VMs[0].Properties)
}

func TestVMTypes(t *testing.T) {
	tests := []struct {
		resourceType        string
		needsContext, isLUN bool
	}{
		{"", true, false}, {"vm", true, false}, {"rcivmsite.vm", true, false}, {"rcivmsite.VM", true, false},
		{"rcivmsite.baremetalce", true, false}, {"lun", true, true}, {"rcivmsite.lun", true, true},
		{"rcivmsite.vlan", false, false}, {"vm.vlan", false, false},
	}
	for _, tt := range tests {
		vm := orca.VM{Type: tt.resourceType}
		assert.Equal(t, tt.needsContext, vm.NeedsContext(), tt.resourceType)
		assert.Equal(t, tt.isLUN, vm.IsLUN(), tt.resourceType)
	}
}

func TestParseSliceErrors(t *testing.T) {
	const vm = `{"hostName":"a","reservationId":"r"}`
	tests := []struct {
		name, text, want string
	}{
		{"empty", "", "is not an object with the members sliceId, groups, vms"},
		{"a list", "[]", "is not an object with the members sliceId, groups, vms"},
		{"not JSON", "{\n\"sliceId\": \"s\",\n}}", "line 3: is not valid JSON: invalid character '}' looking for beginning of object key string"},
		{"not YAML", "sliceId: s\nvms: [a, b\n", "line 2: is not valid YAML: did not find expected ',' or ']'"},
		{"YAML that would quote", "password: *hunter2\n", "is not valid YAML"},
		{"binary", "\xfe\xed\xfe\xed\x00\x00", "line 1: has a zero byte; this is no text file"},
		{"unknown member", "{\"sliceId\":\"s\",\n\"sliceid\":\"t\",\"vms\":[" + vm + "]}", "line 2: sliceid: is unknown; known are sliceId, groups, vms"},
		{"unknown member of a VM", "sliceId: s\nvms:\n- hostName: a\n  hostname: b\n",
			"line 4: vms[0].hostname: is unknown; known are hostName, reservationId, type, properties, userData, publicIp"},
		{"unknown member, line not clear", "sliceId: s\nvms:\n- ip: b\n- ip: b\n",
			"vms[0].ip: is unknown; known are hostName, reservationId, type, properties, userData, publicIp"},
		{"unknown member, odd name", `{"a\nb":1}`, `has a member that is unknown; known are sliceId, groups, vms`},
		{"unknown member, other spelling", "sliceId: s\nvms:\n- host-name: b\n",
			"line 3: vms[0].host-name: is unknown; known are hostName, reservationId, type, properties, userData, publicIp"},
		{"something pasted", "sliceId: s\n4fGc-9: s", "line 2: has a member that is unknown; known are sliceId, groups, vms"},
		{"no slice ID", `{"vms":[` + vm + `]}`, "sliceId: is missing"},
		{"bad slice ID", `{"sliceId":"a\u0007b","vms":[` + vm + `]}`, "sliceId: has a control character (U+0007)"},
		{"a number", "sliceId: 0123\nvms: []\n", "sliceId: is not text; put it in quotes"},
		{"no VMs", `{"sliceId":"s"}`, "vms: is missing; a slice has at least one VM"},
		{"VMs no list", `{"sliceId":"s","vms":{}}`, "vms: is not a list"},
		{"VM no object", `{"sliceId":"s","vms":["a"]}`, "vms[0]: is not an object with the members hostName, reservationId, type, properties, userData, publicIp"},
		{"no host name", `{"sliceId":"s","vms":[` + vm + `,{"reservationId":"q"}]}`, "vms[1].hostName: is missing"},
		{"bad host name", `{"sliceId":"s","vms":[{"hostName":"a b","reservationId":"q"}]}`, `vms[0].hostName: "a b" is not a host name`},
		{"no reservation", `{"sliceId":"s","vms":[{"hostName":"a","reservationId":null}]}`, "vms[0].reservationId: is missing"},
		{"same reservation", `{"sliceId":"s","vms":[` + vm + `,{"hostName":"b","reservationId":"r"}]}`, "vms[1].reservationId: is that of vms[0] too"},
		{"same host name", `{"sliceId":"s","vms":[{"hostName":"w/0","reservationId":"q"},{"hostName":"W-0","reservationId":"r"}]}`,
			"vms[1].hostName: is that of vms[0] too"},
		{"bad address", `{"sliceId":"s","vms":[{"hostName":"a","reservationId":"r","publicIp":"1.2.3"}]}`, `vms[0].publicIp: "1.2.3" is not an IP address`},
		{"bad group", `{"sliceId":"s","groups":["all","a,b"],"vms":[` + vm + `]}`, "groups[1]: is no group's name; it has no blanks and no commas"},
		{"two groups", `{"sliceId":"s","groups":["red blue"],"vms":[` + vm + `]}`, "groups[0]: is no group's name; it has no blanks and no commas"},
		{"Latin-1, YAML", "sliceId: s\n# J\xf6rg\nvms: []\n", "line 2: is not UTF-8"},
		{"Latin-1, JSON", "{\n\n\"sliceId\":\"J\xf6rg\"}", "line 3: is not UTF-8"},
		{"unknown member among others, YAML", "sliceId: s\nvms:\n- {hostName: a, reservationId: r, colour: red}\n",
			"line 3: vms[0].colour: is unknown; known are hostName, reservationId, type, properties, userData, publicIp"},
		{"unknown member among others, JSON", "{\"sliceId\":\"s\",\n\"vms\":[{\"hostName\":\"a\",\"colour\":\"red\"}]}",
			"line 2: vms[0].colour: is unknown; known are hostName, reservationId, type, properties, userData, publicIp"},
		{"long group", `{"sliceId":"s","groups":["` + strings.Repeat("g", 1018) + `"],"vms":[` + vm + `]}`, "groups[0]: is longer than 1024 bytes"},
		{"two documents", "  # one\n%YAML 1.1\n--- # start\nsliceId: s\n--- # two\nvms: []\n", "line 5: starts a second document; a slice file is one"},
		{"member twice, JSON", `{"sliceId":"s","sliceId":"t","vms":[` + vm + `]}`, "sliceId: is there twice"},
		{"member twice, YAML", "sliceId: s\nvms: []\nsliceId: t\n", "line 3: has a member that is there already"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := orca.ParseSlice([]byte(tt.text))
			var at *orca.LineError
			require.ErrorAs(t, err, &at)
			assert.EqualError(t, err, tt.want)
		})
	}
}

func TestSliceFileOfThePythonClientIsRefused(t *testing.T) {
	for _, file := range fixtures(t, "../../testdata/client/*.json") {
		_, err := orca.ParseSlice(file.data)
		require.ErrorContains(t, err, "contextId: is unknown")
		assert.NotContains(t, err.Error(), "2bb5f98")
	}
}

// requirePlainButNames is requirePlain for slice files, whose errors quote host names and addresses, which are no secrets, and nothing else.
func requirePlainButNames(t *testing.T, err error) {
	t.Helper()
	var at *orca.LineError
	require.ErrorAs(t, err, &at)
	if strings.HasSuffix(at.Field, ".hostName") || strings.HasSuffix(at.Field, ".publicIp") {
		plant.RequireLine(t, err.Error())
		return
	}
	plant.RequirePlain(t, err)
}

// FuzzParseSlice: a slice file is a slice that is read as it is written, or refused in one line. Every ~ stands for a secret.
func FuzzParseSlice(f *testing.F) {
	for _, file := range fixtures(f, "../../testdata/slice/slice.json") {
		f.Add(file.data)
		asYAML, err := yaml.JSONToYAML(file.data)
		require.NoError(f, err)
		f.Add(asYAML)
	}
	f.Add([]byte("sliceId: s\nvms:\n- hostName: w/0\n  reservationId: r\n"))
	f.Add([]byte(`{"sliceId":"s","readToken":"~","vms":[{"hostName":"~","writeToken":["~"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := orca.ParseSlice([]byte(plant.In(string(data))))
		if err != nil {
			requirePlainButNames(t, err)
			return
		}
		require.NoError(t, s.Validate())
		asJSON, err := json.Marshal(s)
		require.NoError(t, err)
		again, err := orca.ParseSlice(asJSON)
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}
