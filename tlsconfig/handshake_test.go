package tlsconfig_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

func capped(config *tls.Config, version uint16) *tls.Config {
	config = config.Clone()
	config.MaxVersion = version
	return config
}

// TestHeadsRefused: each wrong certificate of a head is refused, for its reason, by a caller with the CA "ours".
func TestHeadsRefused(t *testing.T) {
	ours, other, namesake := authority(t, "ours"), authority(t, "other"), authority(t, "ours")
	lower := below(t, ours, "lower")
	here := []string{"127.0.0.1"}
	now := time.Now()
	withoutChain := issue(t, lower, tlsconfig.Template{CommonName: "h", Hosts: here, Server: true})
	withoutChain.Certificate = withoutChain.Certificate[:1]
	selfSigned, err := tlsconfig.SelfSigned(tlsconfig.Template{CommonName: "h", Hosts: here, Server: true})
	require.NoError(t, err)

	var validity *tlsconfig.ValidityError
	var unknown *tlsconfig.AuthorityError
	var usage *tlsconfig.UsageError
	var name *tlsconfig.NameError
	for what, c := range map[string]struct {
		identity tls.Certificate
		as       any
		says     []string
	}{
		"expired": {issue(t, ours, tlsconfig.Template{CommonName: "h", Hosts: here, Server: true, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-24 * time.Hour)}),
			&validity, []string{"CN=h", "expired " + now.Add(-24*time.Hour).UTC().Format("2006-01-02"), "renew"}},
		"not yet valid": {issue(t, ours, tlsconfig.Template{CommonName: "h", Hosts: here, Server: true, NotBefore: now.Add(24 * time.Hour)}),
			&validity, []string{"not valid before", "set the clock or wait"}},
		"another CA":              {issue(t, other, tlsconfig.Template{CommonName: "h", Hosts: here, Server: true}), &unknown, []string{`"CN=other"`, "ca.pem"}},
		"a CA of the same name":   {issue(t, namesake, tlsconfig.Template{CommonName: "h", Hosts: here, Server: true}), &unknown, []string{`"CN=ours"`, "ca.pem"}},
		"intermediate kept back":  {withoutChain, &unknown, []string{`"CN=lower"`, "ca.pem"}},
		"self-signed":             {selfSigned, &unknown, []string{`"CN=h"`}},
		"made for clients":        {issue(t, ours, tlsconfig.Template{CommonName: "h", Hosts: here, Client: true}), &usage, []string{"server authentication"}},
		"another name":            {issue(t, ours, tlsconfig.Template{CommonName: "h", Hosts: []string{"head.example.net", "10.0.0.1"}, Server: true}), &name, []string{"head.example.net, 10.0.0.1", "not for 127.0.0.1", "=head.example.net"}},
		"no name but the subject": {issue(t, ours, tlsconfig.Template{CommonName: "127.0.0.1", Server: true}), &name, []string{"names no host", `"127.0.0.1"`}},
	} {
		for versionName, version := range versions {
			t.Run(what+" "+versionName, func(t *testing.T) {
				f := newFolder(t)
				f.put(t, "ca.pem", certPEM(ours.Certificate()))
				h := serve(t, capped(tlsconfig.Server(c.identity, nil), version))
				_, err := call(open(t, f.files(""), tlsconfig.Names{}).Client(h.addr), h.addr)
				require.ErrorAs(t, err, c.as)
				for _, say := range c.says {
					require.ErrorContains(t, err, say)
				}
				var refused *tls.CertificateVerificationError
				require.ErrorAs(t, err, &refused, "recognisable without this package")
				require.Error(t, <-h.errs)
				requireCause(t, err)

				_, err = call(tlsconfig.Client([]*x509.Certificate{ours.Certificate()}, nil), h.addr)
				require.ErrorAs(t, err, &refused, "the fixed configuration refuses it too")
			})
		}
	}
}

// requireCause: what crypto/x509 said stays within reach.
func requireCause(t *testing.T, err error) {
	t.Helper()
	var unknown *tlsconfig.AuthorityError
	if errors.As(err, &unknown) {
		var cause x509.UnknownAuthorityError
		require.ErrorAs(t, err, &cause)
	}
	var usage *tlsconfig.UsageError
	if errors.As(err, &usage) {
		var cause x509.CertificateInvalidError
		require.ErrorAs(t, err, &cause)
	}
}

// TestCallers: what becomes of each kind of client certificate, at fixed and live heads.
func TestCallers(t *testing.T) {
	ours, other := authority(t, "ours"), authority(t, "other")
	now := time.Now()
	expired := tlsconfig.Template{CommonName: "c", Client: true, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-24 * time.Hour)}
	selfSigned, err := tlsconfig.SelfSigned(tlsconfig.Template{CommonName: "c", Client: true})
	require.NoError(t, err)
	selfExpired, err := tlsconfig.SelfSigned(expired)
	require.NoError(t, err)
	selfFuture, err := tlsconfig.SelfSigned(tlsconfig.Template{CommonName: "c", NotBefore: now.Add(24 * time.Hour)})
	require.NoError(t, err)
	trusted := issue(t, ours, tlsconfig.Template{CommonName: "c", Client: true})
	throughLower := issue(t, below(t, ours, "lower"), tlsconfig.Template{CommonName: "c", Client: true})
	require.Len(t, throughLower.Certificate, 2)
	expiredOurs := issue(t, ours, expired)
	foreign := issue(t, other, tlsconfig.Template{CommonName: "c", Client: true})
	forServers := issue(t, ours, tlsconfig.Template{CommonName: "c", Server: true})

	var validity *tlsconfig.ValidityError
	var unknown *tlsconfig.AuthorityError
	var usage *tlsconfig.UsageError
	cases := map[string]struct {
		identity *tls.Certificate
		trusted  bool
		as       any // the refusal
	}{
		"none":                     {nil, false, nil},
		"ours":                     {&trusted, true, nil},
		"ours, through a lower CA": {&throughLower, true, nil},
		"self-signed":              {&selfSigned, false, nil},
		"ours but expired":         {&expiredOurs, false, &validity},
		"self-signed, expired":     {&selfExpired, false, &validity},
		"self-signed, too early":   {&selfFuture, false, &validity},
		"foreign":                  {&foreign, false, &unknown},
		"ours but for servers":     {&forServers, false, &usage},
	}
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	identity := issue(t, ours, tlsconfig.Template{CommonName: "h", Hosts: []string{"127.0.0.1"}, Server: true})
	f.putIdentity(t, "server", identity)
	live := open(t, f.files("server"), tlsconfig.Names{})
	roots := []*x509.Certificate{ours.Certificate()}
	heads := map[string]*tls.Config{"fixed": tlsconfig.Server(identity, roots), "live": live.Server()}
	for kind, config := range heads {
		for versionName, version := range versions {
			h := serve(t, capped(config, version))
			for what, c := range cases {
				t.Run(kind+" "+versionName+" "+what, func(t *testing.T) {
					_, err := call(tlsconfig.Client(roots, c.identity), h.addr)
					if c.as != nil {
						require.Error(t, err)
						require.ErrorAs(t, <-h.errs, c.as)
						return
					}
					require.NoError(t, err)
					state := <-h.states
					assert.Equal(t, c.trusted, tlsconfig.Trusted(&state, roots))
					assert.Equal(t, c.trusted, live.Trusted(&state))
					assert.Equal(t, c.identity != nil, len(state.PeerCertificates) > 0)
				})
			}
		}
	}
	assert.False(t, live.Trusted(nil))
	assert.False(t, tlsconfig.Trusted(nil, roots))
}

// TestCertificateIsAlwaysSent, also to a head that says it would like one of another CA.
func TestCertificateIsAlwaysSent(t *testing.T) {
	ours, other := authority(t, "ours"), authority(t, "other")
	mine := issue(t, ours, tlsconfig.Template{CommonName: "mine", Client: true})
	picky := tlsconfig.Server(issue(t, ours, tlsconfig.Template{Hosts: []string{"127.0.0.1"}, Server: true}), nil)
	picky.VerifyConnection = nil
	picky.ClientCAs = x509.NewCertPool()
	picky.ClientCAs.AddCert(other.Certificate())
	h := serve(t, picky)
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	f.putIdentity(t, "mine", mine)
	for _, config := range []*tls.Config{
		tlsconfig.Client([]*x509.Certificate{ours.Certificate()}, &mine),
		open(t, f.files("mine"), tlsconfig.Names{}).Client(h.addr),
	} {
		_, err := call(config, h.addr)
		require.NoError(t, err)
		state := <-h.states
		require.Len(t, state.PeerCertificates, 1)
		require.Equal(t, "mine", state.PeerCertificates[0].Subject.CommonName)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	ours := authority(t, "ours")
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	f.putIdentity(t, "server", issue(t, ours, tlsconfig.Template{Hosts: []string{"127.0.0.1"}, Server: true}))
	live := open(t, f.files("server"), tlsconfig.Names{})
	h := serve(t, live.Server())
	old := tlsconfig.Client([]*x509.Certificate{ours.Certificate()}, nil)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	_, err := call(old, h.addr)
	require.Error(t, err)
	require.ErrorContains(t, <-h.errs, "versions")
}

// TestInsecure: a head of any CA is taken, and that is warned about and shown.
func TestInsecure(t *testing.T) {
	h := serve(t, tlsconfig.Server(issue(t, authority(t, "strangers"), tlsconfig.Template{Server: true}), nil))
	j := newJournal()
	live := open(t, tlsconfig.Files{}, tlsconfig.Names{Insecure: true}, j.option())
	_, err := call(live.Client(h.addr), h.addr)
	require.NoError(t, err)
	require.Contains(t, j.String(), "not verified")
	require.True(t, live.Status().Insecure)
	require.Contains(t, live.Status().Warnings, "certificates of heads are not verified: name their CA")
}

func TestHeadWithoutIdentity(t *testing.T) {
	f := newFolder(t)
	ours := authority(t, "ours")
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	h := serve(t, open(t, f.files(""), tlsconfig.Names{}).Server())
	_, err := call(tlsconfig.Client([]*x509.Certificate{ours.Certificate()}, nil), h.addr)
	require.Error(t, err)
	require.ErrorContains(t, <-h.errs, "no certificate for this head")
}

func TestNoRootsTrustNothing(t *testing.T) {
	h := serve(t, tlsconfig.Server(issue(t, authority(t, "ours"), tlsconfig.Template{Hosts: []string{"127.0.0.1"}, Server: true}), nil))
	_, err := call(tlsconfig.Client(nil, nil), h.addr)
	var unknown x509.UnknownAuthorityError
	require.True(t, errors.As(err, &unknown), "not the roots of the system: %v", err)
}
