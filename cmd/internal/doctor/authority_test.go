package doctor_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/doctor"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// signed returns identity with its certificate changed and signed by ca.
func signed(t *testing.T, identity, ca tls.Certificate, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := *identity.Leaf
	change(&template)
	der, err := x509.CreateCertificate(rand.Reader, &template, ca.Leaf, identity.Leaf.PublicKey, ca.PrivateKey)
	require.NoError(t, err)
	identity.Certificate = [][]byte{der}
	identity.Leaf, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return identity
}

func selfSigned(t *testing.T, template tlsconfig.Template) tls.Certificate {
	t.Helper()
	identity, err := tlsconfig.SelfSigned(template)
	require.NoError(t, err)
	return identity
}

// The CA is the right one; what the head needs is another certificate.
func TestAWeakSignature(t *testing.T) {
	ca := selfSigned(t, tlsconfig.Template{CommonName: "CA", CA: true})
	authority, err := tlsconfig.AuthorityFrom(ca)
	require.NoError(t, err)
	heads := comettest.StartUnder(t, 1, authority)
	leaf := selfSigned(t, tlsconfig.Template{CommonName: "head", Hosts: []string{"127.0.0.1"}, Server: true})
	heads.Present(0, signed(t, leaf, ca, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }))
	r := examine(t, of(t, heads))
	failed := check(t, r, heads.URL(0), "tls")
	assert.Equal(t, doctor.Problem, failed.State)
	assert.Contains(t, failed.Says, `certificate "CN=head" was issued by the right CA, "CN=CA", but with a signature that proves nothing any more`)
	assert.Contains(t, failed.Says, "ECDSA-SHA1")
	assert.NotContains(t, failed.Says, "another key")
	assert.Contains(t, failed.DoThis, "SHA-256")
	assert.NotContains(t, failed.DoThis, "--cacert")
}

// The CA is the right one, and must not issue for this head.
func TestACertificateThatItsCAMustNotIssue(t *testing.T) {
	ca := selfSigned(t, tlsconfig.Template{CommonName: "narrow CA", CA: true})
	ca = signed(t, ca, ca, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.net"} })
	authority, err := tlsconfig.AuthorityFrom(ca)
	require.NoError(t, err)
	leaf, err := authority.Server("head", "head.example.org", "127.0.0.1")
	require.NoError(t, err)
	heads := comettest.Start(t, 1)
	heads.Present(0, leaf)
	r := examine(t, doctor.Subject{Heads: heads.List(), Files: files(t, []*tlsconfig.Authority{authority}, nil)})
	failed := check(t, r, heads.URL(0), "tls")
	assert.Equal(t, doctor.Problem, failed.State)
	assert.Contains(t, failed.Says, "issued by the right CA")
	assert.Contains(t, failed.Says, "not permitted")
	assert.NotContains(t, failed.Says, "unknown authority")
	assert.Contains(t, failed.DoThis, "by a CA that may")
}

// Warnings about files say what to do, as all do.
func TestAWeakCA(t *testing.T) {
	ca := selfSigned(t, tlsconfig.Template{CommonName: "CA", CA: true})
	lower := signed(t, selfSigned(t, tlsconfig.Template{CommonName: "lower", CA: true}), ca,
		func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })
	authority, err := tlsconfig.AuthorityFrom(lower)
	require.NoError(t, err)
	head := serve(t, authority, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, deployed) })
	s := doctor.Subject{Heads: head.URL, Files: files(t, []*tlsconfig.Authority{authority}, nil)}
	r := examine(t, s)
	require.NoError(t, r.Err(), "it is trusted by itself, not by its signature")
	var weak []doctor.Check
	for _, c := range r.Checks {
		if c.About == s.Files.CA && c.State == doctor.Warning {
			weak = append(weak, c)
		}
	}
	require.Len(t, weak, 1)
	assert.Contains(t, weak[0].Says, `certificate "CN=lower" is signed with ECDSA-SHA1`)
	assert.Equal(t, "have it issued anew", weak[0].DoThis)
}
