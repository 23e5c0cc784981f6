package service_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzStatusFile: whatever stands where a guest writes how things are, it is read as it would be written again, of a guest that does not run,
// or refused in one line that names the file.
func FuzzStatusFile(f *testing.F) {
	for _, text := range []string{
		`{"state":"running","version":"1","pid":1,"since":"2026-05-04T11:59:58Z","at":"2026-05-04T11:59:58.5Z","contexts":[{"slice":"s","key":"k"}],"modules":[{"module":"hosts","mode":"on","state":"ok","notes":[{"kind":"left out","about":"a","why":"b"}]}]}`,
		`{"pid":-1,"state":7}`, `{"since":"\u001b[2J"}`, `{"pid":99999999999999999999}`, `[1`, "\x1b[2J", "", `null`, `{"modules":[null],"contexts":{}}`,
	} {
		f.Add([]byte(text))
	}
	root := f.TempDir()
	set := settings.Settings{StatusFile: "/status.json"}
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(root, "status.json"), data, 0o600))
		st, err := service.ReadStatus(root, set)
		if err != nil {
			plant.RequireLine(t, err.Error())
			require.ErrorContains(t, err, set.StatusFile)
			return
		}
		require.Equal(t, service.StateStopped, st.State)
		text, err := json.Marshal(st)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, "status.json"), text, 0o600))
		again, err := service.ReadStatus(root, set)
		require.NoError(t, err)
		asRead, err := json.Marshal(again)
		require.NoError(t, err)
		require.JSONEq(t, string(text), string(asRead))
	})
}
