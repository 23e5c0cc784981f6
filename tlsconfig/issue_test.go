package tlsconfig_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/testdata/needs"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func TestAuthority(t *testing.T) {
	a := authority(t, "test CA")
	require.True(t, a.Certificate().IsCA)
	require.Equal(t, "test CA", a.Certificate().Subject.CommonName)

	server, err := a.Server("head", "head.example.net", "10.0.0.1")
	require.NoError(t, err)
	require.Equal(t, []string{"head.example.net"}, server.Leaf.DNSNames)
	require.True(t, server.Leaf.IPAddresses[0].Equal(net.IPv4(10, 0, 0, 1)))
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, server.Leaf.ExtKeyUsage)
	require.Equal(t, elliptic.P256(), server.PrivateKey.(*ecdsa.PrivateKey).Curve)
	require.NoError(t, server.Leaf.CheckSignatureFrom(a.Certificate()))
	require.WithinDuration(t, a.Certificate().NotAfter, server.Leaf.NotAfter, time.Second)
	require.Len(t, server.Certificate, 1)

	client, err := a.Client("me")
	require.NoError(t, err)
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, client.Leaf.ExtKeyUsage)
	require.NotEqual(t, server.Leaf.SerialNumber, client.Leaf.SerialNumber)

	_, err = tlsconfig.AuthorityFrom(client)
	require.Error(t, err)
}

func TestWriteDevelopment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "certs")
	d, err := tlsconfig.WriteDevelopment(dir, "head.example.net", "10.0.0.1")
	require.NoError(t, err)
	require.True(t, d.Created)
	hosts := []string{"localhost", "head.example.net", "127.0.0.1", "::1", "10.0.0.1"}
	require.Equal(t, hosts, d.Hosts)
	requireModes(t, dir)

	h := serve(t, open(t, d.Server, tlsconfig.Names{}).Server())
	secret, err := os.ReadFile(d.PasswordFile)
	require.NoError(t, err)
	password := tlsconfig.NewPassword(strings.TrimSpace(string(secret)))
	require.Greater(t, len(password.Reveal()), 20)
	atHead := open(t, d.Server, tlsconfig.Names{})
	for _, files := range []tlsconfig.Files{
		d.Client,
		{CA: filepath.Join(dir, "ca.der"), KeyStore: d.ClientJKS, KeyStorePassword: password},
		{CA: d.CA, KeyStore: d.ClientPKCS12, KeyStorePassword: password},
	} {
		_, err := call(open(t, files, tlsconfig.Names{}).Client(h.addr), h.addr)
		require.NoError(t, err)
		state := <-h.states
		require.True(t, atHead.Trusted(&state))
	}

	before := contents(t, dir)
	d, err = tlsconfig.WriteDevelopment(dir, "another.example.net")
	require.NoError(t, err)
	require.False(t, d.Created)
	require.Equal(t, hosts, d.Hosts)
	require.Equal(t, before, contents(t, dir), "a complete folder is left as it is")

	a, err := tlsconfig.LoadAuthority(dir)
	require.NoError(t, err)
	more, err := a.Client("one more")
	require.NoError(t, err)
	_, err = call(tlsconfig.Client([]*x509.Certificate{a.Certificate()}, &more), h.addr)
	require.NoError(t, err)
	state := <-h.states
	require.True(t, atHead.Trusted(&state))
}

func requireModes(t *testing.T, dir string) {
	t.Helper()
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 10)
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		public := strings.HasSuffix(entry.Name(), ".pem") || strings.HasSuffix(entry.Name(), ".der")
		if !public {
			require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), entry.Name())
		}
	}
	siblings, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	require.Len(t, siblings, 1, "nothing is left beside it")
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
		all[entry.Name()] = string(data)
	}
	return all
}

func TestWriteDevelopmentNeverOverwrites(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	_, err := tlsconfig.WriteDevelopment(dir)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "server.key")))
	require.NoError(t, os.Remove(filepath.Join(dir, "ca.der")))
	before := contents(t, dir)
	_, err = tlsconfig.WriteDevelopment(dir)
	require.ErrorContains(t, err, "missing ca.der, server.key;")
	require.Equal(t, before, contents(t, dir))

	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "notes"), nil, 0o600))
	_, err = tlsconfig.WriteDevelopment(other)
	require.ErrorContains(t, err, "other files")
	require.Len(t, contents(t, other), 1)

	empty := t.TempDir()
	d, err := tlsconfig.WriteDevelopment(empty)
	require.NoError(t, err)
	require.True(t, d.Created)
	info, err := os.Stat(empty)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())

	require.NoError(t, os.WriteFile(filepath.Join(other, "file"), nil, 0o600))
	_, err = tlsconfig.WriteDevelopment(filepath.Join(other, "file"))
	require.Error(t, err)
	_, err = tlsconfig.LoadAuthority(other)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestWriteDevelopmentAtOnce: of several processes that begin together one makes the folder, and all get the same.
func TestWriteDevelopmentAtOnce(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "certs")
	var together sync.WaitGroup
	created := make(chan bool, 8)
	for range cap(created) {
		together.Go(func() {
			d, err := tlsconfig.WriteDevelopment(dir)
			assert.NoError(t, err)
			created <- d.Created
		})
	}
	together.Wait()
	close(created)
	var makers int
	for c := range created {
		if c {
			makers++
		}
	}
	require.Equal(t, 1, makers)
	siblings, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Len(t, siblings, 1)
}

// TestJavaReadsDevelopment asks the JDK, where there is one.
func TestJavaReadsDevelopment(t *testing.T) {
	keytool := needs.Program(t, "keytool", "default-jre-headless")
	dir := filepath.Join(t.TempDir(), "certs")
	d, err := tlsconfig.WriteDevelopment(dir)
	require.NoError(t, err)
	for store, says := range map[string]string{d.ClientJKS: "JKS", d.ClientPKCS12: "PKCS12"} {
		out, err := exec.CommandContext(t.Context(), keytool, "-list", "-v", "-keystore", store, "-storepass:file", d.PasswordFile).CombinedOutput()
		require.NoError(t, err, string(out))
		require.True(t, bytes.Contains(out, []byte("Keystore type: "+says)), string(out))
		require.True(t, bytes.Contains(out, []byte("Certificate chain length: 2")), string(out))
	}
}
