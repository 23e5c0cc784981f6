package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// site is what an ORCA site has: heads, an aggregate manager's properties with a DER CA and a JKS key store, and a VM that the
// controller has put into its slice.
type site struct {
	dir    string
	config string // the aggregate manager's properties
	unit   string // the VM's, those of the controller among them
	heads  *comettest.Heads
	client *comet.Client
	slice  scope.Tokens
}

func newSite(t *testing.T) site {
	t.Helper()
	dir := t.TempDir()
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(dir, "certs"))
	require.NoError(t, err)
	password, err := os.ReadFile(certs.PasswordFile)
	require.NoError(t, err)
	authority, err := tlsconfig.LoadAuthority(certs.Dir)
	require.NoError(t, err)
	s := site{dir: dir, config: filepath.Join(dir, "am.properties"), unit: filepath.Join(dir, "unit.properties"), slice: scope.NewTokens()}
	s.heads = comettest.StartUnder(t, 2, authority)
	s.client = s.heads.Client()
	require.NoError(t, orca.SaveProperties(s.config,
		property("comethost", s.heads.List()), property("comet.cacert", filepath.Join(dir, "certs", "ca.der")),
		property("comet.clientkeystore", certs.ClientJKS), property("comet.clientkeystorepwd", strings.TrimSpace(string(password)))))
	properties, err := os.ReadFile("../../testdata/slice/master.properties")
	require.NoError(t, err)
	access := orca.SliceAccess{Tokens: s.slice, HostsWrite: []string{scope.DefaultGroup}}
	require.NoError(t, os.WriteFile(s.unit, append(properties, orca.FormatProperties(access.Properties()...)...), 0o600))
	place := scope.MustName("6d3de7cc-7188-49b2-af48-f21497450d84", "hostsall", "ed3b1f0c-5a70-4a83-8f9c-6f2d8b6ad0b7")
	require.NoError(t, s.client.Create(t.Context(), place, s.slice, scope.Encode(scope.Host{HostName: "master"})))
	return s
}

func property(key, value string) orca.KeyValue {
	return orca.KeyValue{Key: key, Value: scope.Hide(value)}
}

// shown returns how many entries of the slice a read token shows.
func (s site) shown(t *testing.T, read scope.Token) int {
	t.Helper()
	id, err := scope.ParseContextID("6d3de7cc-7188-49b2-af48-f21497450d84")
	require.NoError(t, err)
	entries, err := s.client.List(t.Context(), id, scope.Family{}, read)
	require.NoError(t, err)
	return len(entries)
}

// tokens are those that were saved for the VM.
func tokens(t *testing.T, path string) scope.Tokens {
	t.Helper()
	p, err := orca.LoadProperties(path)
	require.NoError(t, err)
	unit, err := orca.NewUnit(p)
	require.NoError(t, err)
	return unit.Tokens
}
