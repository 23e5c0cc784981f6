package orca_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func TestLoadConfig(t *testing.T) {
	want := orca.Config{
		CometHost:        "https://18.224.135.20:8111/,https://18.221.238.74:8111/",
		CACert:           "/etc/orca/am+broker-12080/ssl/DigiCertCA.der",
		KeyStore:         "/etc/orca/am+broker-12080/ssl/client.jks",
		KeyStorePassword: scope.Hide("changeme"),
		ClientCert:       "/etc/orca/am+broker-12080/ssl/inno-hn_exogeni_net.pem",
		ClientKey:        "/etc/orca/am+broker-12080/ssl/inno-hn_exogeni_net.key",
	}
	am, err := orca.LoadConfig("../../testdata/orca/am.properties")
	require.NoError(t, err)
	assert.Equal(t, want, am)

	want.PubKeysEnabled, want.HostsEnabled = true, true
	controller, err := orca.LoadConfig("../../testdata/orca/controller.properties")
	require.NoError(t, err)
	assert.Equal(t, want, controller)
}

func TestParseConfigValues(t *testing.T) {
	c, err := orca.ParseConfig([]byte("comethost=${comethost}\ncomet.cacert=/ca.der \t\ncomet.clientkeystorepwd= pass word \n" +
		"orca.comet.hosts.enabled=TRUE \norca.comet.pubkeys.enabled=False\n"))
	require.NoError(t, err)
	assert.Equal(t, orca.Config{CACert: "/ca.der", KeyStorePassword: scope.Hide("pass word "), HostsEnabled: true}, c)
}

func TestParseConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		"comethost=h\n\norca.comet.hosts.enabled=yes\n": "line 3: orca.comet.hosts.enabled: is neither true nor false",
		"orca.comet.pubkeys.enabled=\n":                 "line 1: orca.comet.pubkeys.enabled: is neither true nor false",
		"comet.clientkeystorepwd=pass\\u00":             `line 1: has a \u without four hex digits`,
	} {
		_, err := orca.ParseConfig([]byte(text))
		assert.EqualError(t, err, want)
	}
}

func TestConfigPrintsNoPassword(t *testing.T) {
	c, err := orca.LoadConfig("../../testdata/orca/controller.properties")
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "config", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("settings", "config", c)
	fmt.Fprintf(&log, "%v %+v %#v %v", c, c, c, &c)
	assert.NotContains(t, log.String(), "changeme")
	assert.Contains(t, log.String(), "DigiCertCA.der")
}
