package tlsconfig_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/testdata/plant"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// requirePlain requires a short error of one line without the password.
func requirePlain(t *testing.T, err error) {
	t.Helper()
	plant.RequirePlain(t, err)
	require.Less(t, len(err.Error()), 1000)
}

// seeds are the fixtures of one kind with their passwords. Those that take long to open by design are left out.
func seeds(f *testing.F, add func(data []byte, password, alias string), kinds ...func(fixture) string) {
	for _, fx := range readIndex(f) {
		for _, kind := range kinds {
			if name := kind(fx); name != "" && name != "slow.p12" {
				add(fixtureBytes(f, name), fx.StorePassword+fx.KeyPassword, fx.Alias)
			}
		}
	}
}

// FuzzParseKeyStore: whatever comes in, nothing panics or hangs, and what loads has the certificate of its key.
func FuzzParseKeyStore(f *testing.F) {
	seeds(f, func(data []byte, password, alias string) { f.Add(data, password, alias) }, func(fx fixture) string { return fx.Store })
	for _, data := range hostileStores() {
		if len(data) < 4096 {
			f.Add(data, "p", "")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, password, alias string) {
		password = plant.In(password)
		identity, err := tlsconfig.ParseKeyStore(data, alias, tlsconfig.NewPassword(password), tlsconfig.Password{})
		if err != nil {
			plant.RequireLine(t, err.Error())
			if strings.Contains(password, plant.Secret) && !strings.Contains(alias, plant.Secret) {
				require.NotContains(t, err.Error(), plant.Secret)
			}
			return
		}
		requireOwnKey(t, identity)
	})
}

// FuzzParseKeyPair: the same for a certificate and a key of any form.
func FuzzParseKeyPair(f *testing.F) {
	cert := fixtureBytes(f, "rsa.pem")
	seeds(f, func(data []byte, password, _ string) { f.Add(cert, data, password) }, func(fx fixture) string { return fx.Key })
	seeds(f, func(data []byte, password, _ string) { f.Add(data, fixtureBytes(f, "rsa-pkcs8.key"), password) }, func(fx fixture) string { return fx.Cert })
	f.Fuzz(func(t *testing.T, cert, key []byte, password string) {
		password = plant.In(password)
		identity, err := tlsconfig.ParseKeyPair(cert, key, tlsconfig.NewPassword(password))
		if err != nil {
			requirePlain(t, err)
			return
		}
		requireOwnKey(t, identity)
	})
}

// FuzzParseCA: what is taken for a CA is at least one certificate, and taken again as it is.
func FuzzParseCA(f *testing.F) {
	seeds(f, func(data []byte, password, _ string) { f.Add(data, password) }, func(fx fixture) string { return fx.CA })
	for _, data := range hostileStores() {
		if len(data) < 4096 {
			f.Add(data, "p")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		certs, err := tlsconfig.ParseCA(data, tlsconfig.NewPassword(password))
		require.Equal(t, err == nil, len(certs) > 0)
		if err != nil {
			requirePlain(t, err)
			return
		}
		for _, c := range certs {
			again, err := tlsconfig.ParseCA(c.Raw, tlsconfig.Password{})
			require.NoError(t, err)
			require.Len(t, again, 1)
			require.True(t, c.Equal(again[0]))
		}
	})
}

// FuzzParseNames: names are read as they are spelled again; none accepts everything.
func FuzzParseNames(f *testing.F) {
	for _, item := range []string{"head.example.net", "H:8111=*.Example.net.", "[::1]:1=10.0.0.1", "*.net", "*", "=", "a:1=", "a=b=c", "xn--x", "[fe80::1%25e]:1=x"} {
		f.Add(item)
	}
	f.Fuzz(func(t *testing.T, item string) {
		accept, err := tlsconfig.ParseNames([]string{item})
		if err != nil {
			plant.RequireLine(t, err.Error())
			return
		}
		require.Len(t, accept, 1)
		for head, names := range accept {
			require.Len(t, names, 1)
			require.NotEqual(t, "*", names[0])
			again := names[0]
			if head != "" {
				again = head + "=" + again
			}
			twice, err := tlsconfig.ParseNames([]string{again})
			require.NoError(t, err)
			require.Equal(t, accept, twice)
		}
	})
}
