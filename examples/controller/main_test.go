package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// The example runs as a site would run it: heads on loopback, a properties file with a DER CA and a JKS key store.
func TestExample(t *testing.T) {
	dir := t.TempDir()
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(dir, "certs"))
	require.NoError(t, err)
	password, err := os.ReadFile(certs.PasswordFile)
	require.NoError(t, err)
	authority, err := tlsconfig.LoadAuthority(certs.Dir)
	require.NoError(t, err)
	heads := comettest.StartUnder(t, 2, authority)

	config := filepath.Join(dir, "controller.properties")
	require.NoError(t, os.WriteFile(config, orca.FormatProperties(
		orca.KeyValue{Key: "comethost", Value: scope.Hide(heads.List())},
		orca.KeyValue{Key: "comet.cacert", Value: scope.Hide(filepath.Join(dir, "certs", "ca.der"))},
		orca.KeyValue{Key: "comet.clientkeystore", Value: scope.Hide(certs.ClientJKS)},
		orca.KeyValue{Key: "comet.clientkeystorepwd", Value: scope.Hide(strings.TrimSpace(string(password)))},
		orca.KeyValue{Key: "orca.comet.hosts.enabled", Value: scope.Hide("true")},
	), 0o600))

	var out bytes.Buffer
	tokenFile := filepath.Join(dir, "tokens.json")
	require.NoError(t, run(t.Context(), &out, config, "../../testdata/slice/slice.json", tokenFile))
	require.NoError(t, run(t.Context(), &out, config, "../../testdata/slice/slice.json", tokenFile), "it may be repeated")
	require.Equal(t, "slice 6d3de7cc-7188-49b2-af48-f21497450d84: 3 place-holders created, 0 kept\n"+
		"slice 6d3de7cc-7188-49b2-af48-f21497450d84: 0 place-holders created, 3 kept\n", out.String())
}
