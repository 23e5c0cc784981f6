package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzConfig: whatever stands in the file of --config and in that of those who may create, config check prints settings as a table, or
// refuses them in one line, and changes nothing.
func FuzzConfig(f *testing.F) {
	const creators = "# who may\nCN=controller,O=Site\nsha256:00\n"
	for _, text := range []string{
		"", "listen: [127.0.0.1:8111, '[::1]:8111']\nexpiry: 720h\nmax-requests: 10\nowners: true\n", `{"strong-tokens": true, "metrics-listen": "127.0.0.1:0", "max-watches": 1e3}`,
		"store: etcd://user:pass@h/comet\n", "max-requests: 0.5\n", "listen: [[a]]\n", "\"\\e[2J\": 1\n", "log-level: \"\\a\"\n", "host: \"a\\nb\"\n", "data: x\ndata: y\n", "&a [*a]", "? [a]\n: b\n", "max-value: 99999999999999999999\n",
	} {
		f.Add(text, creators)
	}
	f.Add("", "controller\x1b[2J\n")
	f.Add("", "# nobody\n\x00")
	f.Add("creators-file: /\n", "")
	folder := f.TempDir()
	data, config, allowed := filepath.Join(folder, "data"), filepath.Join(folder, "cometd.yaml"), filepath.Join(folder, "creators")
	f.Fuzz(func(t *testing.T, text, creators string) {
		if strings.Contains(text, "/dev") { // what never ends is no file of certificates
			return
		}
		require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
		require.NoError(t, os.WriteFile(allowed, []byte(creators), 0o600))
		var out, errOut bytes.Buffer
		args := []string{"cometd", "config", "check", "--data", data, "--config", config, "--creators-file", allowed}
		code := cli.Run(t.Context(), app(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errOut})
		require.Contains(t, []int{cli.ExitDone, cli.ExitInput}, code, errOut.String())
		if code != cli.ExitDone {
			require.Empty(t, out.String())
			lines := strings.Split(strings.TrimSuffix(errOut.String(), "\n"), "\n")
			plant.RequireLine(t, lines[0])
			require.True(t, strings.HasPrefix(lines[0], "cometd: "))
		}
		for line := range strings.Lines(out.String()) {
			plant.RequireLine(t, strings.TrimSuffix(line, "\n"))
		}
		require.NoDirExists(t, data)
	})
}
