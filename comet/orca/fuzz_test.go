package orca_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// requirePlain requires an error that names a line or a field, on one line, and quotes no secret of what is read: that which stands for
// every ~ in it.
func requirePlain(t *testing.T, err error) {
	t.Helper()
	var at *orca.LineError
	require.ErrorAs(t, err, &at)
	plant.RequirePlain(t, err)
}

// FuzzParseClientInput: a file has names and a value that heads take, or is refused without a word of it.
func FuzzParseClientInput(f *testing.F) {
	for _, file := range fixtures(f, "../../testdata/client/*.json") {
		f.Add(string(file.data))
	}
	f.Add(`{"contextId":"c","readToken":"~","writeToken":["~"],"value":{"val_":"[]"}}`)
	f.Add(`{"value":"~","readToken":"~\u0007"}`)
	f.Fuzz(func(t *testing.T, text string) {
		in, err := orca.ParseClientInput([]byte(plant.In(text)))
		if err != nil {
			requirePlain(t, err)
			return
		}
		if in.Value.Reveal() != "" {
			_, err := scope.ParseList([]byte(in.Value.Reveal()))
			require.NoError(t, err)
			require.True(t, json.Valid([]byte(in.Value.Reveal())))
		}
	})
}

// FuzzNewUnit: unit properties are an identity with groups that are written as they are read, or an error that names the property.
func FuzzNewUnit(f *testing.F) {
	for _, pattern := range []string{"../../testdata/slice/*.properties", "../../testdata/orca/*.properties"} {
		for _, file := range fixtures(f, pattern) {
			f.Add(string(file.data))
		}
	}
	f.Add("shirako.save.unit.comet.readToken=~\\u0007\nunit.comet.writeToken=~")
	f.Add("comet.clientkeystorepwd=~\norca.comet.hosts.enabled=~")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := orca.ParseProperties([]byte(plant.In(text)))
		if err != nil {
			requirePlain(t, err)
			require.NotContains(t, err.Error(), "is no key=value", "the library leaves a goroutine behind there")
			return
		}
		if _, err := orca.NewConfig(p); err != nil {
			requirePlain(t, err)
		}
		unit, err := orca.NewUnit(p)
		if err != nil {
			requirePlain(t, err)
			return
		}
		again, err := orca.NewUnit(orca.NewProperties(unit.Slice.Properties()...))
		require.NoError(t, err)
		require.Equal(t, unit.Slice, again.Slice)
	})
}

// FuzzFormat: what is written as JSON, as metadata and for Heat is read back as it was, in whatever text.
func FuzzFormat(f *testing.F) {
	f.Add("comethost", "https://h:8111/")
	f.Add(`a"b: {`, "\n- *x\t\u2028'\"\\ é😀 yes")
	f.Fuzz(func(t *testing.T, key, value string) {
		key = key[:min(len(key), 64)] // names of fields; YAML readers take no more than 1 KiB
		key, value = strings.ToValidUTF8(key, "?"), strings.ToValidUTF8(value, "?")
		list := orca.KeyValue{Key: key, Value: scope.Hide(value)}
		var plain map[string]string
		require.NoError(t, json.Unmarshal(orca.FormatJSON(list), &plain))
		require.Equal(t, map[string]string{key: value}, plain)
		var metadata, heat map[string]map[string]string
		require.NoError(t, json.Unmarshal(orca.FormatMetadata(list), &metadata))
		require.Equal(t, map[string]map[string]string{"metadata": plain}, metadata)
		require.NoError(t, yaml.Unmarshal(orca.FormatHeat(list), &heat))
		require.Equal(t, metadata, heat)
	})
}
