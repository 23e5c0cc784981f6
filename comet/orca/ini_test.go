package orca_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// TestINICorpus compares with what Python 2.7.18's RawConfigParser makes of the same bytes, which stands beside each file.
func TestINICorpus(t *testing.T) {
	for _, file := range fixtures(t, "testdata/ini/*.ini") {
		t.Run(filepath.Base(file.path), func(t *testing.T) {
			expected, err := os.ReadFile(strings.TrimSuffix(file.path, ".ini") + ".json")
			require.NoError(t, err)
			var want struct {
				Sections  [][2]json.RawMessage
				ErrorLine int
			}
			require.NoError(t, json.Unmarshal(expected, &want))

			u, err := orca.ParseUserData(withGlobal(file.data))
			if want.ErrorLine > 0 {
				var at *orca.LineError
				require.ErrorAs(t, err, &at)
				require.Equal(t, want.ErrorLine, at.Line)
				return
			}
			require.NoError(t, err)
			for _, section := range want.Sections {
				var name string
				var options [][2]string
				require.NoError(t, json.Unmarshal(section[0], &name))
				require.NoError(t, json.Unmarshal(section[1], &options))
				var got [][2]string
				for _, kv := range u.Section(name) {
					got = append(got, [2]string{kv.Key, kv.Value.Reveal()})
				}
				assert.ElementsMatch(t, options, got, name)
				assert.Len(t, got, len(options))
			}
		})
	}
}

// withGlobal adds the section without which an ini file is no user data, where it changes no line before.
func withGlobal(data []byte) []byte {
	if strings.Contains(string(data), "[global]") {
		return data
	}
	return append(data, "\n[global]\n"...)
}

func TestINILinesAndOrder(t *testing.T) {
	u, err := orca.ParseUserData([]byte("\ufeff[Global]\n\n[SCRIPTS]\nB=1\nA=2\n  more\n\nb=3\n"))
	require.NoError(t, err)
	want := []orca.KeyValue{{Key: "b", Value: scope.Hide("3"), Line: 8}, {Key: "a", Value: scope.Hide("2\nmore"), Line: 5}}
	assert.Equal(t, want, u.Section("scripts"))
	assert.Equal(t, want, u.Section("Scripts"))
	assert.Nil(t, u.Section("users"))
}

func TestINIKeepsBytes(t *testing.T) {
	u, err := orca.ParseUserData([]byte("[global]\n[scripts]\nbootscript=#!/bin/sh\n\techo \xe4\xff\n"))
	require.NoError(t, err)
	assert.Equal(t, "#!/bin/sh\necho \xe4\xff", u.Section("scripts")[0].Value.Reveal())
	data, err := u.INI()
	require.NoError(t, err)
	assert.Contains(t, string(data), "[scripts]\nbootscript=#!/bin/sh\n\techo \xe4\xff\n")
}
