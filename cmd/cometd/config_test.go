//go:build unix

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unset is an environment without the address that tests have.
const unset = "COMET_LISTEN=${LISTEN}"

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "cometd.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// settingsOf are "value from" of each setting that config check prints.
func settingsOf(stdout string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(stdout) {
		cells := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1)
		all[cells[0]] = strings.Join(cells[1:], ", ")
	}
	return all
}

func TestSettingsFromFileEnvironmentAndFlags(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	file := write(t, "# a head\ndata: "+dir+"\nlisten:\n  - 127.0.0.1:7001\n  - 127.0.0.1:7002\nmax-requests: 100\nmax-watches: 100\nmax-entries: 1000000\nstrong-tokens: true\nlog-level: debug\nexpiry: 4320h\nhost: [comet.example.net, 192.0.2.1]\n")
	code, stdout, stderr := output(t, []string{unset, "COMET_MAX_REQUESTS=200", "COMET_MAX_WATCHES=200", "COMET_CONFIG=" + file}, "config", "check", "--max-watches", "300")
	require.Equal(t, 0, code, stderr)
	require.Empty(t, stderr)
	all := settingsOf(stdout)
	for name, want := range map[string]string{
		"data":          dir + ", file",
		"listen":        "127.0.0.1:7001 127.0.0.1:7002, file",
		"max-requests":  "200, flag or environment",
		"max-watches":   "300, flag or environment",
		"max-entries":   "1000000, file",
		"max-value":     "1048576, default",
		"strong-tokens": "true, file",
		"audit-log":     "true, default",
		"log-level":     "debug, file",
		"expiry":        "4320h0m0s, file",
		"host":          "comet.example.net 192.0.2.1, file",
	} {
		require.Equal(t, want, all[name], name)
	}
	require.Contains(t, stdout, "the settings are good; certificates will be made in "+dir+"/certs\n")
	require.NoDirExists(t, dir, "checking makes nothing")

	asJSON := write(t, `{"data": "`+dir+`", "strong-tokens": true, "metrics-listen": "127.0.0.1:0"}`)
	h := serveHead(t, dir, nil, "--config", asJSON)
	code, body, err := h.call("POST", "/writeScope", "vm", "one")
	require.NoError(t, err)
	require.Equal(t, 200, code, body)
	require.NotEmpty(t, h.ready["metrics"])
	code, stdout, stderr = output(t, nil, "config", "check", "--config", asJSON)
	require.Equal(t, 0, code, stderr+stdout) // while a head runs
	require.Contains(t, stdout, "the settings are good; the certificates can be used\n")
	h.terminate()
}

func TestBadSettings(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	subjects := write(t, "# nobody\n\n")
	common := write(t, "controller\n")
	for _, c := range []struct {
		name, file string
		args       []string
		says       string
	}{
		{"unknown key", "data: x\nlistn: x\n", nil, `there is no setting "listn"`},
		{"no host", "data: x\nhost: -a\n", nil, `--host "-a" is neither a host name nor an address`},
		{"a host for certificates of one's own", "cacert: a\ncert: b\nkey: c\nstore: etcd://h/comet\nhost: a\n", nil, "--host is for certificates of the head's own making"},
		{"itself", "config: x\n", nil, `there is no setting "config"`},
		{"same key twice", "data: x\ndata: y\n", nil, "is not YAML or JSON with settings"},
		{"no YAML", "{", nil, "is not YAML or JSON with settings"},
		{"a list", "[1]", nil, "is not YAML or JSON with settings"},
		{"no number", "max-requests: many\n", nil, `max-requests cannot be "many"`},
		{"part of a number", "max-requests: 0.4\n", nil, `cometd.yaml: max-requests cannot be "0.4"`},
		{"more than a number", "max-watches: 1.5\n", nil, `cometd.yaml: max-watches cannot be "1.5"`},
		{"part of a switch", "owners: 0.4\n", nil, `owners cannot be "0.4"`},
		{"a list for one value", "creators-file: [x, y]\n", nil, "cometd.yaml: creators-file cannot be a list"},
		{"a list of one for one value", "max-watches: [1]\n", nil, "max-watches cannot be a list"},
		{"a list in a list", "listen: [[127.0.0.1:0]]\n", nil, "listen cannot be a list in a list"},
		{"an object", "key: {file: x}\n", nil, "key cannot be an object"},
		{"no switch", "owners: perhaps\n", nil, `owners cannot be "perhaps"`},
		{"address", "listen: here\n", nil, `--listen "here" is not a host or address and a port`},
		{"log level", "log-level: loud\n", nil, `--log-level "loud"`},
		{"negative", "", []string{"--max-entries", "-1"}, "--max-entries -1 is no limit"},
		{"expiry without a unit", "expiry: 180\n", nil, `expiry cannot be "180"`},
		{"expiry that is too short", "expiry: 9m\n", nil, "--expiry 9m0s is shorter than 10m0s"},
		{"expiry below nothing", "", []string{"--expiry", "-1h"}, "--expiry -1h0m0s is shorter than 10m0s"},
		{"too much", "", []string{"--max-value", "2000000"}, "--max-value 2000000 is more than 1048576"},
		{"creators and open", "", []string{"--creators-file", subjects, "--no-client-certs"}, "contradict"},
		{"owners and open", "owners: true\n", []string{"--no-client-certs"}, "--owners and --no-client-certs contradict"},
		{"creators without any", "", []string{"--creators-file", subjects}, "has no subject in it"},
		{"creators by common name", "", []string{"--creators-file", common}, common + `:1: "controller" is no subject`},
		{"creators that are not there", "", []string{"--creators-file", data}, data},
		{"certificates that are not there", "cacert: " + data + "\ncert: " + data + "\nkey: " + data + "\n", nil, data},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, command := range [][]string{{"config", "check"}, {"serve"}} {
				code, stdout, stderr := output(t, []string{"COMET_DATA=" + data, unset}, append(append(command, "--config", write(t, c.file)), c.args...)...)
				require.Equal(t, 2, code, stderr+stdout)
				require.Empty(t, stdout)
				lines := strings.Split(strings.TrimSpace(stderr), "\n")
				require.Contains(t, lines[len(lines)-1], c.says)
				require.NoDirExists(t, data)
			}
		})
	}
	code, _, stderr := output(t, nil, "config", "check", "--config", data, "--data", data)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, data)
}

// What is there already is refused by both, and neither changes it.
func TestCheckRefusesWhatServeRefuses(t *testing.T) {
	made, junk, damaged := t.TempDir(), t.TempDir(), t.TempDir()
	for _, dir := range []string{made, damaged} {
		requireDone(t, "certs", "--out", filepath.Join(dir, "certs"), "--host", "head.example.org")
	}
	require.NoError(t, os.WriteFile(filepath.Join(damaged, "certs", "server.key"), []byte("Planted\n"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(junk, "certs"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(junk, "certs", "notes"), []byte("Planted\n"), 0o600))
	file := write(t, "Planted\n")
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"another name", []string{"--data", made, "--host", "other.example.org"}, "do not name other.example.org"},
		{"other files", []string{"--data", junk}, "the folder holds other files"},
		{"a key that is none", []string{"--data", damaged}, "server.key"},
		{"a file", []string{"--data", file}, "make the folder of --data"},
		{"below a file", []string{"--data", filepath.Join(file, "data")}, "make the folder of --data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said []string
			for _, command := range [][]string{{"config", "check"}, {"serve"}} {
				code, stdout, stderr := output(t, nil, append(command, c.args...)...)
				require.Equal(t, 2, code, stderr+stdout)
				require.Empty(t, stdout)
				require.Contains(t, stderr, c.says)
				require.NotContains(t, stderr, "Planted")
				said = append(said, stderr)
			}
			require.Equal(t, said[1], said[0])
		})
	}
	for _, dir := range []string{made, junk, damaged} {
		found, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, found, 1, "certs alone")
	}
	requireDone(t, "config", "check", "--data", made, "--host", "head.example.org")
	requireDone(t, "config", "check", "--data", t.TempDir(), "--host", "other.example.org")
}

func TestCreatorsFile(t *testing.T) {
	other := write(t, "CN=somebody else\n")
	h := serveHead(t, t.TempDir(), nil, "--creators-file", other)
	_, body, err := h.call("POST", "/writeScope", "vm", "one")
	require.NoError(t, err)
	require.Contains(t, body, "Unauthorized client")
	h.terminate()
	subject := regexp.MustCompile(`subject="?(CN=[^" ]*( [^"]*)?)"? trusted=true`).FindStringSubmatch(h.log.String())
	require.NotEmpty(t, subject, h.log.String())

	right := write(t, "# as the audit log says\n"+subject[1]+"\n")
	h = serveHead(t, t.TempDir(), nil, "--creators-file", right, "--owners", "--audit-log=false")
	code, body, err := h.call("POST", "/writeScope", "vm", "one")
	require.NoError(t, err)
	require.Equal(t, 200, code, body)
	h.terminate()
	require.NotContains(t, h.log.String(), "log=audit")
}
