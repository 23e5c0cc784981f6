package main

import (
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/cmd/internal/doctor"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// ctl runs cometctl doctor and returns what it printed and its exit code.
func ctl(t *testing.T, args ...string) (out, errOut string, code int) {
	t.Helper()
	var o, e strings.Builder
	code = cli.Run(t.Context(), app(), append([]string{"cometctl", "doctor"}, args...), cli.Streams{In: strings.NewReader(""), Out: &o, Err: &e})
	return o.String(), e.String(), code
}

func writeCA(t *testing.T, a *tlsconfig.Authority) string {
	path := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw}), 0o600))
	return path
}

func TestDoctorPrintsAReport(t *testing.T) {
	heads := comettest.Start(t, 2)
	heads.Stop(1)
	t.Setenv("COMET_READ_TOKEN", "planted")
	out, errOut, code := ctl(t, "--comethost", heads.List(), "--cacert", writeCA(t, heads.Authority()))
	assert.Equal(t, cli.ExitFailed, code, "one head is well")
	assert.Equal(t, "cometctl: 1 problem found\n", errOut)
	for _, line := range []string{
		`configuration`,
		`  ok    CA               .*/ca\.pem: PEM: "CN=comettest CA", valid until .*`,
		`  warn  read token       COMET_READ_TOKEN: token has fewer than 8 characters, which heads may insist on`,
		`                         -> make one with: cometctl token new`,
		heads.URL(0),
		`  ok    connect          127\.0\.0\.1:[0-9]+ in [0-9.]+ ms`,
		`  ok    tls              TLS 1\.3; trusted: its certificate names 127\.0\.0\.1`,
		`  warn  our certificate  the head asks for one, and we have none: .*`,
		heads.URL(1),
		`  FAIL  connect          127\.0\.0\.1:[0-9]+: connection refused`,
		`                         -> see that the head runs, and that [0-9]+ is its port \(8111 is usual\)`,
	} {
		assert.Regexp(t, regexp.MustCompile(`(?m)^`+line+`$`), out)
	}
	assert.NotContains(t, out, "planted")
}

func TestDoctorPrintsData(t *testing.T) {
	heads := comettest.Start(t, 1)
	ca := writeCA(t, heads.Authority())
	for form, parse := range map[string]func([]byte, any) error{
		"json": json.Unmarshal,
		"yaml": func(data []byte, into any) error { return yaml.Unmarshal(data, into) },
	} {
		out, errOut, code := ctl(t, "--comethost", heads.List(), "--cacert", ca, "--output", form)
		assert.Equal(t, cli.ExitDone, code, errOut)
		var r doctor.Report
		require.NoError(t, parse([]byte(out), &r))
		assert.True(t, r.Well)
		assert.Equal(t, []string{heads.URL(0)}, r.Heads)
		assert.NotEmpty(t, r.Checks)
	}
}

// An empty list is one, also where it has nothing in it.
func TestDoctorPrintsEmptyLists(t *testing.T) {
	out, _, code := ctl(t, "--output", "json")
	assert.Equal(t, cli.ExitInput, code)
	assert.Contains(t, out, `"heads": []`)
}

func TestDoctorExitCodes(t *testing.T) {
	heads := comettest.Start(t, 1)
	ca := writeCA(t, heads.Authority())
	foreign, err := tlsconfig.NewAuthority("foreign CA", time.Hour)
	require.NoError(t, err)
	password := filepath.Join(t.TempDir(), "nix")

	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"well":           {[]string{"--cacert", ca}, cli.ExitDone, ""},
		"no CA":          {nil, cli.ExitInput, "no CA"},
		"no password":    {[]string{"--cacert", ca, "--keystore-password-file", password}, cli.ExitInput, "what depends on it was not examined"},
		"no config":      {[]string{"--config", password}, cli.ExitInput, password},
		"no token":       {[]string{"--cacert", ca, "--write-token-file", password}, cli.ExitInput, "write token"},
		"no output":      {[]string{"--output", "x"}, cli.ExitInput, "output"},
		"no identity":    {[]string{"--cacert", ca, "--keystore", ca, "--keystore-password-file", password}, cli.ExitInput, "ours was not tried, since the configuration above does not hold"},
		"no time":        {[]string{"--cacert", ca, "--timeout", "0s"}, cli.ExitInput, "--timeout 0s makes no sense"},
		"foreign":        {[]string{"--cacert", writeCA(t, foreign)}, cli.ExitRefused, "unknown authority"},
		"no head":        {[]string{"--comethost", "https://127.0.0.1:1", "--cacert", ca}, cli.ExitNoHead, "connection refused"},
		"one of two":     {[]string{"--comethost", heads.List() + ",https://127.0.0.1:1", "--cacert", ca}, cli.ExitFailed, "connection refused"},
		"one and a typo": {[]string{"--comethost", heads.List() + ",htps://127.0.0.1:1", "--cacert", ca}, cli.ExitInput, "htps://"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errOut, code := ctl(t, append([]string{"--comethost", heads.List()}, c.args...)...)
			assert.Equal(t, c.code, code, "%s%s", out, errOut)
			assert.Contains(t, out+errOut, c.says)
		})
	}
}

// A head that takes connections and says nothing is given up when the command's time is over.
func TestDoctorEndsInTime(t *testing.T) {
	heads := comettest.Start(t, 1)
	heads.Set(0, comettest.Hang())
	out, _, code := ctl(t, "--comethost", heads.List(), "--cacert", writeCA(t, heads.Authority()), "--timeout", "300ms")
	assert.Equal(t, cli.ExitNoHead, code)
	assert.Contains(t, out, "no answer in time")
}
