package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
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
	s, err := open(config, dir)
	require.NoError(t, err)
	defer s.Close()
	server := httptest.NewServer(s.routes())
	defer server.Close()

	ask := func(method, path, body string, status int) string {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/slices/"+path, strings.NewReader(body))
		require.NoError(t, err)
		answer, err := server.Client().Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		assert.Equal(t, status, answer.StatusCode, "%s %s", method, path)
		var got map[string]any
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&got))
		says, _ := got["says"].(string)
		if says == "" {
			text, err := json.Marshal(got)
			require.NoError(t, err)
			says = string(text)
		}
		return says
	}
	slice := func(vms string) string { return `{"sliceId":"a/b","vms":[` + vms + `]}` }
	const one, two = `{"hostName":"master","reservationId":"r1"}`, `{"hostName":"worker-0","reservationId":"r2"}`

	assert.Contains(t, ask("PATCH", "a%2Fb", slice(one), 404), "read token")
	assert.Contains(t, ask("GET", "a%2Fb", "", 404), "token file")
	assert.Contains(t, ask("PUT", "a%2Fb", slice(`{"hostName":"x y"}`), 400), "vms[0].hostName")
	assert.Contains(t, ask("PUT", "other", slice(one), 400), "sliceId")
	for _, want := range []string{"1 place-holder created, 0 kept", "0 place-holders created, 1 kept"} {
		assert.Equal(t, want, ask("PUT", "a%2Fb", slice(one), 200))
	}
	assert.Equal(t, "1 place-holder created, 0 kept", ask("PATCH", "a%2Fb", slice(two), 200))
	assert.Contains(t, ask("PATCH", "a%2Fb", slice(`{"hostName":"master","reservationId":"r3"}`), 409), "has that host name already")
	assert.Equal(t, `{"master":false,"worker-0":false}`, ask("GET", "a%2Fb", "", 200))
	assert.Equal(t, "1 entry removed; 1 not found", ask("DELETE", "a%2Fb/vms/r2", "", 200), "there are no public keys here")
	assert.Equal(t, `{"master":false}`, ask("GET", "a%2Fb", "", 200))
	assert.Contains(t, ask("DELETE", "a%2Fb", "", 200), "1 entry removed")
	heads.Stop(0)
	heads.Stop(1)
	assert.Contains(t, ask("PUT", "a%2Fb", slice(one), 503), "no head answered")
}
