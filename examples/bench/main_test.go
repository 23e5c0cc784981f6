package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// The program measures heads of its own and a deployed one, and an existing client, prints it and writes it down.
func TestRun(t *testing.T) {
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(t.TempDir(), "certs"))
	require.NoError(t, err)
	authority, err := tlsconfig.LoadAuthority(certs.Dir)
	require.NoError(t, err)
	heads := comettest.StartUnder(t, 1, authority)
	out := filepath.Join(t.TempDir(), "figures")

	var stdout, stderr bytes.Buffer
	err = run(t.Context(), []string{"-short", "-only", "client,guests", "-out", out, "-head", heads.URL(0),
		"-cacert", certs.Client.CA, "-cert", certs.Client.Cert, "-key", certs.Client.Key,
		"-client", `test -n "$COMETHOST" && "$0" read "$CONTEXT" "$FAMILY" "$KEY"`}, &stdout, &stderr)
	require.NoError(t, err, "%s", &stderr)

	text, err := os.ReadFile(filepath.Join(out, "figures.json"))
	require.NoError(t, err)
	var r report
	require.NoError(t, json.Unmarshal(text, &r))
	assert.True(t, r.Short)
	assert.NotEmpty(t, r.On.Go)
	assert.Contains(t, stdout.String(), "It took "+r.On.Took+".")
	for _, want := range []struct{ benchmark, unit string }{
		{"client BenchmarkClient/read/16", "of-theirs"},
		{"client at " + heads.URL(0) + " BenchmarkClient/write/1", "calls/s"},
		{"guests BenchmarkGuests/told/100", "x-bytes"},
		{"guests BenchmarkGuests/polled/100", "x-told"},
		{"command BenchmarkCommand", "ms-cometctl"},
	} {
		values := r.Results[want.benchmark][want.unit]
		require.Len(t, values, 1, "%s: %v", want.benchmark, r.Results)
		assert.Positive(t, values[0], want.benchmark)
	}
	printed, err := os.ReadFile(filepath.Join(out, "figures.md"))
	require.NoError(t, err)
	assert.Equal(t, stdout.String(), string(printed))
	for _, name := range []string{"client.svg", "guests-lag.svg", "guests-bytes.svg"} {
		assert.FileExists(t, filepath.Join(out, name))
	}
	assert.NoFileExists(t, filepath.Join(out, "heads.svg"), "nothing of it was measured")
	assert.Positive(t, heads.Calls(0, "deleteScope"), "nothing is left on the deployed head")
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{"client"}, {"-nonsense"}, {"-only", "clients"}, {"-cacert", "ca.pem"},
	} {
		var stdout, stderr bytes.Buffer
		require.ErrorIs(t, run(t.Context(), args, &stdout, &stderr), errUsage, "%q", args)
		require.Empty(t, stdout.String())
	}
}

// What cannot be measured is said; the rest is measured.
func TestMissing(t *testing.T) {
	var stderr bytes.Buffer
	b, err := newBench(t.Context(), true, &stderr)
	require.NoError(t, err)
	defer b.close()
	r, err := b.measure(t.Context(), []suite{
		{name: "etcd", pkg: "comet/server/etcd", rounds: 1, needs: "no-such-program", debian: "no-such-package"},
		{name: "failover", pkg: "comet", bench: "^BenchmarkFailover$", times: "1x", rounds: 2},
		{name: "client", pkg: "comet", bench: "[", times: "1x", rounds: 1},
	})
	require.NoError(t, err)
	require.Len(t, r.values(row{suite: "failover", bench: "BenchmarkFailover"}, "us-well"), 2)
	require.ErrorContains(t, r.failed(), "client: go test")
	text := r.text(tables)
	for _, want := range []string{
		"Not measured, etcd: there is no program no-such-program: install the package no-such-package.\n",
		"Not measured in full, client: it failed.\n",
	} {
		require.Contains(t, text, want)
	}
	require.Regexp(t, `\| etcd, reads, 1 caller +\| etcd's own client reading the key +\|`, text)
}
