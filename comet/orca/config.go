package orca

import (
	"log/slog"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// Config is how a controller or an aggregate manager reaches COMET, as its properties file says. What the file does not set is
// empty; whether that suffices is for who connects to say.
type Config struct {
	CometHost        string // comethost: heads, separated by commas
	CACert           string // comet.cacert: path, DER or PEM
	KeyStore         string // comet.clientkeystore: path
	KeyStorePassword scope.Hidden
	ClientCert       string // comet.clientcert: path, PEM
	ClientKey        string // comet.clientkey: path, PEM
	PubKeysEnabled   bool   // orca.comet.pubkeys.enabled: the controller puts down pubkeys place-holders
	HostsEnabled     bool   // orca.comet.hosts.enabled: the same for hosts
}

// LoadConfig reads a controller's or aggregate manager's properties file.
func LoadConfig(path string) (Config, error) { return load(path, "configuration", ParseConfig) }

// ParseConfig reads the settings from a properties file's content. Keys that it does not know belong to others.
func ParseConfig(data []byte) (Config, error) {
	p, err := ParseProperties(data)
	if err != nil {
		return Config{}, err
	}
	return NewConfig(p)
}

// NewConfig takes the settings from properties. A switch that is neither true nor false is a *LineError.
func NewConfig(p Properties) (Config, error) {
	c := Config{
		CometHost:  p.Text("comethost"),
		CACert:     p.Text("comet.cacert"),
		KeyStore:   p.Text("comet.clientkeystore"),
		ClientCert: p.Text("comet.clientcert"),
		ClientKey:  p.Text("comet.clientkey"),
	}
	password, _ := p.Get("comet.clientkeystorepwd") // blanks around it may be part of it
	c.KeyStorePassword = scope.Hide(password)
	var err error
	if c.PubKeysEnabled, err = parseSwitch(p, "orca.comet.pubkeys.enabled"); err != nil {
		return Config{}, err
	}
	if c.HostsEnabled, err = parseSwitch(p, "orca.comet.hosts.enabled"); err != nil {
		return Config{}, err
	}
	return c, nil
}

// LogValue shows all but the password.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("comethost", c.CometHost), slog.String("cacert", c.CACert),
		slog.String("keystore", c.KeyStore), slog.String("cert", c.ClientCert), slog.String("key", c.ClientKey),
		slog.Bool("pubkeys", c.PubKeysEnabled), slog.Bool("hosts", c.HostsEnabled))
}

func parseSwitch(p Properties, key string) (bool, error) {
	if _, ok := p.Get(key); !ok {
		return false, nil
	}
	switch strings.ToLower(p.Text(key)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, p.Errorf(key, "is neither true nor false")
}
