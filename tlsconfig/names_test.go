package tlsconfig_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/testdata/needs"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func TestParseNames(t *testing.T) {
	got, err := tlsconfig.ParseNames([]string{"Head.Example.net.", "*.Exogeni.net", "10.0.0.1:8111=a.example.net", "10.0.0.1:8111=b.example.net",
		"[::1]:8111=c", "HEAD:1=10.1.2.3", "head.example.net"})
	require.NoError(t, err)
	require.Equal(t, map[string][]string{
		"":              {"head.example.net", "*.exogeni.net"},
		"10.0.0.1:8111": {"a.example.net", "b.example.net"},
		"[::1]:8111":    {"c"},
		"head:1":        {"10.1.2.3"},
	}, got)
	for _, bad := range []string{"", "*", "*.", "*.net", "a.*.net", "a b", "https://head", "head:8111", "=a", "host=a", ":1=a", "host:=a", "h:1=", ".:1=a", "[ ]:1=a", "-a", "a..b", "ä.net"} {
		_, err := tlsconfig.ParseNames([]string{bad})
		require.ErrorContains(t, err, "server name ", bad)
	}
}

// TestNameRules dials by address, as ORCA does, a head whose certificate names hosts.
func TestNameRules(t *testing.T) {
	ours := authority(t, "ours")
	for _, c := range []struct {
		hosts  []string
		accept []string // HEAD stands for the head's address
		ok     bool
	}{
		{[]string{"comet.exogeni.net"}, nil, false},
		{[]string{"127.0.0.1"}, nil, true},
		{[]string{"comet.exogeni.net"}, []string{"comet.exogeni.net"}, true},
		{[]string{"comet.exogeni.net"}, []string{"HEAD=comet.exogeni.net"}, true},
		{[]string{"comet.exogeni.net"}, []string{"HEAD=other.exogeni.net", "comet.exogeni.net"}, false},
		{[]string{"comet.exogeni.net"}, []string{"10.9.9.9:1=comet.exogeni.net"}, false},
		{[]string{"127.0.0.1"}, []string{"comet.exogeni.net"}, true},
		{[]string{"*.exogeni.net"}, []string{"comet.exogeni.net"}, true},
		{[]string{"*.exogeni.net"}, []string{"*.exogeni.net"}, true},
		{[]string{"a.example.org", "Comet.ExoGENI.net"}, []string{"*.exogeni.net"}, true},
		{[]string{"a.b.exogeni.net"}, []string{"*.exogeni.net"}, false},
		{[]string{"exogeni.net"}, []string{"*.exogeni.net"}, false},
		{[]string{"fakeexogeni.net"}, []string{"*.exogeni.net"}, false},
		{[]string{"*.b.exogeni.net"}, []string{"*.exogeni.net"}, false},
		{[]string{"10.1.2.3"}, []string{"10.1.2.3"}, true},
		{[]string{"10.1.2.3"}, []string{"10.1.2.4"}, false},
	} {
		h := serve(t, tlsconfig.Server(issue(t, ours, tlsconfig.Template{CommonName: "h", Hosts: c.hosts, Server: true}), nil))
		var list []string
		for _, name := range c.accept {
			list = append(list, strings.Replace(name, "HEAD", h.addr, 1))
		}
		accept, err := tlsconfig.ParseNames(list)
		require.NoError(t, err)
		f := newFolder(t)
		f.put(t, "ca.pem", certPEM(ours.Certificate()))
		_, err = call(open(t, f.files(""), tlsconfig.Names{Accept: accept}).Client(h.addr), h.addr)
		if c.ok {
			require.NoError(t, err, "%v %v", c.hosts, c.accept)
			continue
		}
		var name *tlsconfig.NameError
		require.ErrorAs(t, err, &name, "%v %v", c.hosts, c.accept)
		require.Equal(t, h.addr, name.Head)
		require.Equal(t, c.hosts, name.Names)
	}
}

// TestServerNameIsAskedFor: heads with several certificates get to know which one is wanted.
func TestServerNameIsAskedFor(t *testing.T) {
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(authority(t, "ours").Certificate()))
	accept, err := tlsconfig.ParseNames([]string{"*.example.net", "10.0.0.1:1=head.example.net"})
	require.NoError(t, err)
	live := open(t, f.files(""), tlsconfig.Names{Accept: accept})
	require.Equal(t, "head.example.net", live.Client("10.0.0.1:1").ServerName)
	require.Equal(t, "10.0.0.2", live.Client("10.0.0.2:1").ServerName)
	require.Equal(t, "some.example.org", live.Client("Some.Example.org:1").ServerName)
	require.Equal(t, "::1", live.Client(net.JoinHostPort("::1", "1")).ServerName)
}

func TestAnyNameUnderOwnCA(t *testing.T) {
	ours := authority(t, "ours")
	h := serve(t, tlsconfig.Server(issue(t, ours, tlsconfig.Template{CommonName: "no name at all", Server: true}), nil))
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	live := open(t, f.files(""), tlsconfig.Names{Any: true}, tlsconfig.WithPublicRoots(pool(authority(t, "strangers").Certificate())))
	_, err := call(live.Client(h.addr), h.addr)
	require.NoError(t, err)
	require.Equal(t, "any name under the CA", live.Status().NameRule)

	// The chain is checked all the same.
	h = serve(t, tlsconfig.Server(issue(t, authority(t, "other"), tlsconfig.Template{CommonName: "x", Server: true}), nil))
	_, err = call(live.Client(h.addr), h.addr)
	var unknown *tlsconfig.AuthorityError
	require.ErrorAs(t, err, &unknown)
}

func pool(certs ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, cert := range certs {
		p.AddCert(cert)
	}
	return p
}

// TestAnyNameUnderPublicCA is refused: for the root, a CA below it, one below that, an old one, a reissued one, and by organisation.
func TestAnyNameUnderPublicCA(t *testing.T) {
	root := authority(t, "public root")
	lower := below(t, root, "lower")
	lowest := below(t, lower, "lowest")
	old := issue(t, root, tlsconfig.Template{CommonName: "old", CA: true, NotAfter: time.Now().Add(-time.Minute)})
	known := issue(t, authority(t, "x"), tlsconfig.Template{CommonName: "DigiCert Global G2 TLS RSA SHA256 2020 CA1", Organization: "DigiCert Inc", CA: true})
	reissued := authority(t, "public root")
	ours := authority(t, "ours").Certificate()
	for what, certs := range map[string][]*x509.Certificate{
		"root":               {root.Certificate()},
		"below it":           {lower.Certificate()},
		"two below it":       {lowest.Certificate(), lower.Certificate()},
		"beside one of ours": {ours, lower.Certificate()},
		"old":                {ours, old.Leaf},
		"reissued":           {reissued.Certificate()},
		"by organisation":    {known.Leaf},
	} {
		t.Run(what, func(t *testing.T) {
			f := newFolder(t)
			f.put(t, "ca.pem", certPEM(certs...))
			public := tlsconfig.WithPublicRoots(pool(root.Certificate()))
			_, err := tlsconfig.Open(f.files(""), tlsconfig.Names{Any: true}, quiet, public)
			require.ErrorIs(t, err, tlsconfig.ErrPublicCA)
			require.ErrorContains(t, err, "ca.pem")
			require.ErrorContains(t, err, "give the server names")
			open(t, f.files(""), tlsconfig.Names{}, public)
		})
	}
}

// TestPublicCAPutInPlaceLater is a broken replacement.
func TestPublicCAPutInPlaceLater(t *testing.T) {
	root := authority(t, "public root")
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(authority(t, "ours").Certificate()))
	live := open(t, f.files(""), tlsconfig.Names{Any: true}, tlsconfig.WithPublicRoots(pool(root.Certificate())))
	f.put(t, "ca.pem", certPEM(below(t, root, "lower").Certificate()))
	require.ErrorIs(t, live.Reload(), tlsconfig.ErrPublicCA)
	require.Equal(t, "CN=ours", live.Status().Files[0].Certificates[0].Subject)
}

// TestAnyNameWithoutCA: nothing stands in for a CA of one's own, least of all the roots of the system.
func TestAnyNameWithoutCA(t *testing.T) {
	identity := tlsconfig.Files{KeyStore: filepath.Join(fixtures, "ec.jks"), KeyStorePassword: tlsconfig.NewPassword("storepass")}
	for _, files := range []tlsconfig.Files{{}, identity} {
		_, err := tlsconfig.Open(files, tlsconfig.Names{Any: true}, quiet)
		require.ErrorIs(t, err, tlsconfig.ErrNoCA)
		require.ErrorContains(t, err, "never under those of the system")
	}
}

// TestAnyNameUnderSystemRoots takes the roots of this machine, where it has some.
func TestAnyNameUnderSystemRoots(t *testing.T) {
	var bundle []byte
	for _, path := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"} {
		if data, err := os.ReadFile(path); err == nil {
			bundle = data
		}
	}
	var refused int
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		f := newFolder(t)
		f.put(t, "ca.pem", pem.EncodeToMemory(block))
		_, err := tlsconfig.Open(f.files(""), tlsconfig.Names{Any: true}, quiet)
		var validity *tlsconfig.ValidityError
		if !errors.As(err, &validity) {
			require.ErrorIs(t, err, tlsconfig.ErrPublicCA)
			refused++
		}
	}
	if bundle == nil {
		needs.Missing(t, "there are no public roots: install the package ca-certificates to run this test")
	}
	require.Positive(t, refused)
}
