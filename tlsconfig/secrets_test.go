package tlsconfig_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

func TestPasswordNeverPrints(t *testing.T) {
	const secret = "hunter2-and-more"
	p := tlsconfig.NewPassword(secret)
	type hidden struct{ inner tlsconfig.Password }
	type open struct{ Inner tlsconfig.Password }
	var out strings.Builder
	for _, v := range []any{p, &p, hidden{p}, &hidden{p}, open{p}, []tlsconfig.Password{p}, map[string]any{"p": p}, tlsconfig.Files{KeyStorePassword: p},
		fmt.Errorf("wrapped: %v", p), struct{ f tlsconfig.Files }{tlsconfig.Files{KeyPassword: p, CAPassword: p}}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(text)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	}
	assert.NotContains(t, out.String(), secret)
	assert.NotContains(t, out.String(), hex.EncodeToString([]byte(secret)))
	assert.Contains(t, out.String(), "[redacted]")

	assert.Equal(t, secret, p.Reveal())
	assert.Equal(t, p, tlsconfig.NewPassword(secret))
	assert.NotEqual(t, p, tlsconfig.NewPassword("other"))
	assert.True(t, tlsconfig.NewPassword("").IsZero())
	assert.False(t, p.IsZero())
	assert.Empty(t, tlsconfig.Password{}.Reveal())
	assert.Empty(t, fmt.Sprint(tlsconfig.Password{}))
}

func TestReadPassword(t *testing.T) {
	f := newFolder(t)
	for text, want := range map[string]string{"secret": "secret", "secret\n": "secret", "secret\r\n": "secret", " se cret \n": " se cret "} {
		p, err := tlsconfig.ReadPassword(f.put(t, "password", []byte(text)))
		require.NoError(t, err)
		require.Equal(t, want, p.Reveal())
	}
	for _, empty := range []string{"", "\n", "\r\n"} {
		_, err := tlsconfig.ReadPassword(f.put(t, "empty", []byte(empty)))
		require.ErrorContains(t, err, filepath.Join(string(f), "empty")+" is empty")
	}
	_, err := tlsconfig.ReadPassword(filepath.Join(string(f), "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestNothingSecretIsSaid: no password and no part of a key in errors, status or log, for every fixture and a few accidents.
func TestNothingSecretIsSaid(t *testing.T) {
	j := newJournal()
	var said strings.Builder
	var secrets []string
	for _, f := range readIndex(t) {
		secrets = append(secrets, f.StorePassword, f.KeyPassword)
		if _, err := f.parse(t); err != nil {
			fmt.Fprintf(&said, "%v %+v\n", err, err)
		}
		live, err := tlsconfig.Open(f.files(), tlsconfig.Names{}, j.option(), tlsconfig.WithInterval(0))
		if err != nil {
			fmt.Fprintf(&said, "%v %+v\n", err, err)
			continue
		}
		text, err := json.Marshal(live.Status())
		require.NoError(t, err)
		fmt.Fprintf(&said, "%s %+v\n", text, live.Status())
		require.NoError(t, live.Close())
	}

	// The key ends up where something else belongs.
	f := newFolder(t)
	ours := authority(t, "ours")
	identity := issue(t, ours, tlsconfig.Template{CommonName: "c", Client: true})
	der, err := x509.MarshalPKCS8PrivateKey(identity.PrivateKey)
	require.NoError(t, err)
	secrets = append(secrets, keyTexts(der)...)
	for _, misplaced := range [][]byte{keyPEM(t, identity), der, der[:40], []byte(base64.StdEncoding.EncodeToString(der)),
		bytes.ReplaceAll(keyPEM(t, identity), []byte("PRIVATE KEY"), []byte("CERTIFICATE"))} {
		_, err := tlsconfig.ParseCA(misplaced, tlsconfig.Password{})
		require.Error(t, err)
		fmt.Fprintln(&said, err)
		_, err = tlsconfig.ParseKeyStore(misplaced, "", tlsconfig.Password{}, tlsconfig.Password{})
		require.Error(t, err)
		fmt.Fprintln(&said, err)
	}
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	f.putIdentity(t, "c", identity)
	live := open(t, f.files("c"), tlsconfig.Names{}, j.option())
	require.NoError(t, os.Rename(filepath.Join(string(f), "c.key"), filepath.Join(string(f), "ca.pem")))
	require.Error(t, live.Reload())
	fmt.Fprintf(&said, "%+v\n", live.Status())

	for _, secret := range secrets {
		if secret != "" {
			require.NotContains(t, said.String(), secret)
			require.NotContains(t, j.String(), secret)
		}
	}
	require.NotEmpty(t, j.String())
}

// keyTexts returns what a leak of the key would look like.
func keyTexts(der []byte) []string {
	inner := der[40:60]
	return []string{hex.EncodeToString(inner), base64.StdEncoding.EncodeToString(der)[60:80], string(inner), strings.Trim(fmt.Sprint(inner), "[]")}
}
