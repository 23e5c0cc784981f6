package tlsconfig_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

const fixtures = "../testdata/keystores"

// fixture is one row of index.json: a file, what opens it, and what must come of it.
type fixture struct {
	Name, CA, Store, Cert, Key, Alias string
	StorePassword, KeyPassword        string

	Subjects  []string // common names: of the CAs, or of leaf and chain
	Is, Says  string   // the error instead
	Open      string   // the error of Open where the bytes by themselves are good
	OpenLoads bool     // Open takes it, the function from bytes does not
	Warns     string   // a warning in the status
}

var sentinels = map[string]error{
	"password":       tlsconfig.ErrPassword,
	"no key":         tlsconfig.ErrNoKey,
	"no certificate": tlsconfig.ErrNoCertificate,
	"mismatch":       tlsconfig.ErrMismatch,
	"alias":          tlsconfig.ErrAlias,
	"unsupported":    tlsconfig.ErrUnsupported,
	"malformed":      tlsconfig.ErrMalformed,
}

func readIndex(t testing.TB) []fixture {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, "index.json"))
	require.NoError(t, err)
	var all []fixture
	require.NoError(t, json.Unmarshal(data, &all))
	require.Greater(t, len(all), 50)
	return all
}

func fixtureBytes(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, name))
	require.NoError(t, err)
	return data
}

// parse reads the fixture from bytes and returns the certificates it gave.
func (f fixture) parse(t testing.TB) ([]*x509.Certificate, error) {
	store, key := tlsconfig.NewPassword(f.StorePassword), tlsconfig.NewPassword(f.KeyPassword)
	if f.CA != "" {
		return tlsconfig.ParseCA(fixtureBytes(t, f.CA), store)
	}
	var identity tls.Certificate
	var err error
	if f.Store != "" {
		identity, err = tlsconfig.ParseKeyStore(fixtureBytes(t, f.Store), f.Alias, store, key)
	} else {
		identity, err = tlsconfig.ParseKeyPair(fixtureBytes(t, f.Cert), fixtureBytes(t, f.Key), key)
	}
	if err != nil {
		return nil, err
	}
	requireOwnKey(t, identity)
	var certs []*x509.Certificate
	for _, der := range identity.Certificate {
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		certs = append(certs, cert)
	}
	return certs, nil
}

func requireOwnKey(t testing.TB, identity tls.Certificate) {
	t.Helper()
	require.NotNil(t, identity.Leaf)
	require.Equal(t, identity.Leaf.Raw, identity.Certificate[0])
	public, ok := identity.PrivateKey.(crypto.Signer).Public().(interface{ Equal(crypto.PublicKey) bool })
	require.True(t, ok)
	require.True(t, public.Equal(identity.Leaf.PublicKey), "the leaf is not the key's")
}

// files names the fixture as files for Open.
func (f fixture) files() tlsconfig.Files {
	in := func(name string) string {
		if name == "" {
			return ""
		}
		return filepath.Join(fixtures, name)
	}
	store, key := tlsconfig.NewPassword(f.StorePassword), tlsconfig.NewPassword(f.KeyPassword)
	if f.CA != "" {
		return tlsconfig.Files{CA: in(f.CA), CAPassword: store}
	}
	return tlsconfig.Files{
		CA: in("ca.pem"), KeyStore: in(f.Store), KeyStoreAlias: f.Alias, KeyStorePassword: store,
		Cert: in(f.Cert), Key: in(f.Key), KeyPassword: key,
	}
}

func TestFixturesFromBytes(t *testing.T) {
	for _, f := range readIndex(t) {
		t.Run(f.Name, func(t *testing.T) {
			certs, err := f.parse(t)
			if f.Is != "" {
				f.requireError(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, f.Subjects, commonNames(certs))
		})
	}
}

func TestFixturesFromFiles(t *testing.T) {
	for _, f := range readIndex(t) {
		t.Run(f.Name, func(t *testing.T) {
			live, err := tlsconfig.Open(f.files(), tlsconfig.Names{}, quiet, tlsconfig.WithInterval(0))
			switch {
			case f.Open != "":
				var invalid *tlsconfig.ValidityError
				require.ErrorAs(t, err, &invalid)
				require.ErrorContains(t, err, f.Open)
				require.ErrorContains(t, err, f.Store)
			case f.Is != "" && !f.OpenLoads:
				f.requireError(t, err)
				require.ErrorContains(t, err, f.CA+f.Store+f.Cert, "the file is named")
			default:
				require.NoError(t, err)
				if f.Warns != "" {
					require.Contains(t, strings.Join(live.Status().Warnings, "\n"), f.Warns)
				}
				require.NoError(t, live.Close())
			}
		})
	}
}

var quiet = tlsconfig.WithLogger(slog.New(slog.DiscardHandler))

func (f fixture) requireError(t *testing.T, err error) {
	t.Helper()
	require.Contains(t, sentinels, f.Is)
	require.ErrorIs(t, err, sentinels[f.Is])
	require.ErrorContains(t, err, f.Says)
	require.NotContains(t, err.Error(), "\n")
	for _, secret := range []string{"storepass", "otherpass", "keypass", "wrong-one", "пароль"} {
		require.NotContains(t, err.Error(), secret)
	}
}

func commonNames(certs []*x509.Certificate) []string {
	var names []string
	for _, cert := range certs {
		names = append(names, cert.Subject.CommonName)
	}
	return names
}

// TestFixturesComplete: every file in the folder is in the index, so none is kept without being read.
func TestFixturesComplete(t *testing.T) {
	used := map[string]bool{"make.sh": true, "index.json": true}
	for _, f := range readIndex(t) {
		for _, name := range []string{f.CA, f.Store, f.Cert, f.Key} {
			used[name] = true
		}
	}
	entries, err := os.ReadDir(fixtures)
	require.NoError(t, err)
	for _, entry := range entries {
		assert.True(t, used[entry.Name()], entry.Name())
	}
}
