package tlsconfig_test

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return key
}

func selfSigned(t testing.TB, template tlsconfig.Template) tls.Certificate {
	t.Helper()
	identity, err := tlsconfig.SelfSigned(template)
	require.NoError(t, err)
	return identity
}

// signedAnew returns identity with its certificate signed by ca with another algorithm; chain follows it.
func signedAnew(t testing.TB, identity, ca tls.Certificate, algorithm x509.SignatureAlgorithm, chain ...[]byte) tls.Certificate {
	t.Helper()
	template := *identity.Leaf
	template.SignatureAlgorithm = algorithm
	if algorithm == x509.MD5WithRSA {
		template.SignatureAlgorithm = x509.SHA256WithRSA
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, ca.Leaf, identity.Leaf.PublicKey, ca.PrivateKey)
	require.NoError(t, err)
	if algorithm == x509.MD5WithRSA {
		der = signedWithMD5(t, der, ca.PrivateKey.(*rsa.PrivateKey))
	}
	identity.Certificate = append([][]byte{der}, chain...)
	identity.Leaf, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return identity
}

// signedWithMD5 does by hand what crypto/x509 no longer does.
func signedWithMD5(t testing.TB, der []byte, key *rsa.PrivateKey) []byte {
	t.Helper()
	sha256WithRSA := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b}
	md5WithRSA := append(sha256WithRSA[:8:8], 4)
	var certificate struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	_, err := asn1.Unmarshal(bytes.ReplaceAll(der, sha256WithRSA, md5WithRSA), &certificate)
	require.NoError(t, err)
	sum := md5.Sum(certificate.TBS.FullBytes)
	certificate.Signature.Bytes, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.MD5, sum[:])
	require.NoError(t, err)
	der, err = asn1.Marshal(certificate)
	require.NoError(t, err)
	return der
}

// TestWeakSignatures: a certificate that the right CA signed in a way nobody trusts any more is not said to be of an unknown CA, and the
// other way round.
func TestWeakSignatures(t *testing.T) {
	ca := selfSigned(t, tlsconfig.Template{CommonName: "ours", CA: true})
	rsaCA := selfSigned(t, tlsconfig.Template{CommonName: "ours in RSA", CA: true, Key: rsaKey(t, 2048)})
	namesake := selfSigned(t, tlsconfig.Template{CommonName: "ours", CA: true})
	foreign := selfSigned(t, tlsconfig.Template{CommonName: "foreign", CA: true})
	leaf := selfSigned(t, tlsconfig.Template{CommonName: "h", Hosts: []string{"127.0.0.1"}, Server: true, Client: true})
	lower := selfSigned(t, tlsconfig.Template{CommonName: "lower", CA: true})
	weakLower := signedAnew(t, lower, ca, x509.ECDSAWithSHA1)
	foreignLower := signedAnew(t, lower, foreign, x509.ECDSAWithSHA1)

	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(namesake.Leaf, ca.Leaf, rsaCA.Leaf))
	f.putIdentity(t, "head", signedAnew(t, leaf, ca, x509.ECDSAWithSHA256))
	live := open(t, f.files("head"), tlsconfig.Names{})
	head := serve(t, live.Server())
	for what, c := range map[string]struct {
		shown tls.Certificate
		weak  string // the subject of the certificate that is weakly signed; "": another CA is the reason
		says  string
	}{
		"ECDSA with SHA-1":           {signedAnew(t, leaf, ca, x509.ECDSAWithSHA1), "CN=h", "ECDSA-SHA1"},
		"RSA with SHA-1":             {signedAnew(t, leaf, rsaCA, x509.SHA1WithRSA), "CN=h", "SHA1-RSA"},
		"RSA with MD5":               {signedAnew(t, leaf, rsaCA, x509.MD5WithRSA), "CN=h", "MD5-RSA"},
		"a CA on the way":            {signedAnew(t, leaf, lower, x509.ECDSAWithSHA256, weakLower.Certificate[0]), "CN=lower", "ECDSA-SHA1"},
		"of another key":             {signedAnew(t, leaf, selfSigned(t, tlsconfig.Template{CommonName: "ours", CA: true}), x509.ECDSAWithSHA1), "", "does not lead to a CA"},
		"of a foreign CA":            {signedAnew(t, leaf, foreign, x509.ECDSAWithSHA1), "", `"CN=foreign"`},
		"a foreign CA's CA":          {signedAnew(t, leaf, lower, x509.ECDSAWithSHA256, foreignLower.Certificate[0]), "", `"CN=lower"`},
		"of itself":                  {signedAnew(t, leaf, leaf, x509.ECDSAWithSHA1), "", `"CN=h"`},
		"MD5 by another of the name": {signedAnew(t, leaf, selfSigned(t, tlsconfig.Template{CommonName: "ours in RSA", CA: true, Key: rsaKey(t, 2048)}), x509.MD5WithRSA), "", "ours in RSA"},
	} {
		t.Run(what, func(t *testing.T) {
			h := serve(t, tlsconfig.Server(c.shown, nil))
			_, err := call(live.Client(h.addr), h.addr)
			requireWeak(t, err, c.weak, c.says)
			if what == "of itself" {
				return // which a head takes for an unknown caller
			}
			_, err = call(tlsconfig.Client([]*x509.Certificate{ca.Leaf}, &c.shown), head.addr)
			require.Error(t, err)
			requireWeak(t, <-head.errs, c.weak, c.says)
		})
	}
}

func requireWeak(t *testing.T, err error, subject, says string) {
	t.Helper()
	require.ErrorContains(t, err, says)
	var weak *tlsconfig.SignatureError
	if subject == "" {
		var unknown *tlsconfig.AuthorityError
		require.ErrorAs(t, err, &unknown)
		require.NotErrorAs(t, err, &weak)
		return
	}
	require.ErrorAs(t, err, &weak)
	require.Equal(t, subject, weak.Certificate.Subject.String())
	require.ErrorContains(t, err, "have it issued anew")
	var cause x509.InsecureAlgorithmError
	require.ErrorAs(t, err, &cause)
}

// TestNamesake: where a CA of the issuer's name is trusted, the error has it.
func TestNamesake(t *testing.T) {
	ours, another := authority(t, "ours"), authority(t, "ours")
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	live := open(t, f.files(""), tlsconfig.Names{})
	for _, c := range []struct {
		issuer *tlsconfig.Authority
		want   *x509.Certificate
	}{{another, ours.Certificate()}, {authority(t, "other"), nil}} {
		h := serve(t, tlsconfig.Server(issue(t, c.issuer, tlsconfig.Template{Hosts: []string{"127.0.0.1"}, Server: true}), nil))
		_, err := call(live.Client(h.addr), h.addr)
		var unknown *tlsconfig.AuthorityError
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, c.want, unknown.Namesake)
	}
}

// TestWeakCertificatesAreWarnedAbout, wherever in the files they are, but for the signature of a root, which nobody checks.
func TestWeakCertificatesAreWarnedAbout(t *testing.T) {
	root := selfSigned(t, tlsconfig.Template{CommonName: "root", CA: true, Key: rsaKey(t, 2048)})
	root = signedAnew(t, root, root, x509.SHA1WithRSA)
	short := selfSigned(t, tlsconfig.Template{CommonName: "short", CA: true, Key: rsaKey(t, 1024)})
	lower := signedAnew(t, selfSigned(t, tlsconfig.Template{CommonName: "lower", CA: true}), root, x509.SHA1WithRSA)
	mine := signedAnew(t, selfSigned(t, tlsconfig.Template{CommonName: "mine", Client: true}), lower, x509.ECDSAWithSHA256, lower.Certificate...)

	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(root.Leaf, short.Leaf, lower.Leaf))
	f.putIdentity(t, "mine", mine)
	j := newJournal()
	warnings := open(t, f.files("mine"), tlsconfig.Names{}, j.option()).Status().Warnings
	require.Len(t, warnings, 3, warnings)
	for i, says := range []string{
		`ca.pem: certificate "CN=short" has an RSA key of 1024 bits`, `ca.pem: certificate "CN=lower" is signed with SHA1-RSA`,
		`mine.pem: certificate "CN=lower" is signed with SHA1-RSA`,
	} {
		assert.Contains(t, warnings[i], says)
		assert.True(t, strings.HasSuffix(warnings[i], ": have it issued anew"))
	}
	require.Equal(t, 3, strings.Count(j.String(), "have it issued anew"))
}

// TestSeveralCertificatesForOneKey, as files hold them that renewed ones were added to.
func TestSeveralCertificatesForOneKey(t *testing.T) {
	ours := authority(t, "ours")
	key := rsaKey(t, 2048)
	now := time.Now()
	made := func(name string, from, until time.Duration) tls.Certificate {
		return issue(t, ours, tlsconfig.Template{CommonName: name, Client: true, Key: key, NotBefore: now.Add(from), NotAfter: now.Add(until)})
	}
	const hour = time.Hour
	old, present, renewed, future := made("old", -9*hour, -hour), made("present", -8*hour, 50*hour), made("renewed", -2*hour, 40*hour), made("future", 60*hour, 70*hour)
	longer := made("longer", -2*hour, 45*hour)
	for _, c := range []struct {
		certs []tls.Certificate
		want  string
	}{
		{[]tls.Certificate{old, present}, "present"},
		{[]tls.Certificate{present, old}, "present"},
		{[]tls.Certificate{present, future}, "present"},
		{[]tls.Certificate{present, renewed, old, future}, "renewed"},
		{[]tls.Certificate{renewed, longer}, "longer"},
		{[]tls.Certificate{old, made("older", -9*hour, -2*hour)}, "old"},
	} {
		var data []byte
		for _, cert := range c.certs {
			data = append(data, chainPEM(cert)...)
		}
		identity, err := tlsconfig.ParseKeyPair(data, keyPEM(t, old), tlsconfig.Password{})
		require.NoError(t, err)
		require.Equal(t, c.want, identity.Leaf.Subject.CommonName)
	}

	// What is valid, the clock of Open says.
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	f.putIdentity(t, "me", old)
	f.put(t, "me.pem", append(chainPEM(present), chainPEM(future)...))
	later := tlsconfig.WithClock(func() time.Time { return now.Add(65 * hour) })
	require.Equal(t, "CN=future", open(t, f.files("me"), tlsconfig.Names{}, later).Status().Files[1].Certificates[0].Subject)
}
