package orca_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// instance is what OpenStack makes of members.
func instance(t *testing.T, hostName string, members map[string]string) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"hostname": hostName, "meta": members})
	require.NoError(t, err)
	return text
}

func TestMetadataIsReadBackAsItWas(t *testing.T) {
	text, err := os.ReadFile("../../testdata/chameleon/meta_data.json")
	require.NoError(t, err)
	u, err := orca.ParseMetadata(text)
	require.NoError(t, err)
	members, err := u.Metadata()
	require.NoError(t, err)

	var api struct{ Metadata map[string]string }
	require.NoError(t, json.Unmarshal(orca.FormatMetadata(members...), &api))
	var heat struct{ Metadata map[string]string }
	require.NoError(t, yaml.Unmarshal(orca.FormatHeat(members...), &heat))
	assert.Equal(t, api, heat)
	var vector struct{ Meta map[string]string }
	require.NoError(t, json.Unmarshal(text, &vector))
	assert.Equal(t, vector.Meta, api.Metadata)
	again, err := orca.ParseMetadata(instance(t, u.HostName, api.Metadata))
	require.NoError(t, err)
	assert.Equal(t, u, again)

	u.HostName = "" // it is no member
	again, err = orca.ParseMetadata(orca.FormatMetadata(members...))
	require.NoError(t, err, "the body for the API says who the VM is as well")
	assert.Equal(t, u, again)
	assert.True(t, orca.IsMetadata(orca.FormatMetadata(members...)))
	_, err = orca.ParseMetadata([]byte(`{"metadata":{"slice_id":7}}`))
	require.ErrorContains(t, err, "metadata.slice_id: is not text")
}

func TestMetadataLeavesOutWhatOpenStackHasNoPlaceFor(t *testing.T) {
	u := orca.UserData{CometHost: "https://a/", CACert: []byte("certificate"), ServerName: "head.example"}
	u.HostName = "workers-0"
	members, err := u.Metadata()
	require.NoError(t, err)
	assert.JSONEq(t, `{"comethost":"https://a/","cometservername":"head.example"}`, string(orca.FormatJSON(members...)))
	u.CometHost = strings.Repeat("ä", 256)
	_, err = u.Metadata()
	require.EqualError(t, err, "comethost: has 256 characters; OpenStack takes 255 in a value of metadata")
}

func TestMetadataWithOddTexts(t *testing.T) {
	for _, odd := range []string{`"`, "yes", "0x10", "null", "a: b", "# no", " blank ", "<&>", "é\u2028", "[x]", "1e3", "~", "\x00\x1b\x7f\u0080\u0085\ufeff\ufffe\uffff"} {
		kv := orca.KeyValue{Key: "slice_name", Value: scope.Hide(odd)}
		var api, heat struct{ Metadata map[string]any }
		require.NoError(t, json.Unmarshal(orca.FormatMetadata(kv), &api))
		require.NoError(t, yaml.Unmarshal(orca.FormatHeat(kv), &heat))
		assert.Equal(t, odd, api.Metadata["slice_name"])
		assert.Equal(t, odd, heat.Metadata["slice_name"])
	}
	assert.Equal(t, "{\n}\n", string(orca.FormatJSON()))
}

func TestWhatIsSavedIsForTheOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vm.json")
	require.NoError(t, orca.SavePrivate("metadata", path, []byte("text")))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, "-rw-------", info.Mode().String())
	err = orca.SavePrivate("metadata", filepath.Join(path, "below"), []byte("text"))
	require.ErrorContains(t, err, "metadata: write "+path)
}

func TestMetadataShowsNoTokenWhenPrinted(t *testing.T) {
	u := orca.UserData{Slice: orca.SliceAccess{Tokens: scope.Tokens{Read: scope.MustToken("PlantedRead1"), Write: scope.MustToken("PlantedWrite1")}}}
	members, err := u.Metadata()
	require.NoError(t, err)
	assert.Len(t, members, 2)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", members, members, members), "Planted")
}
