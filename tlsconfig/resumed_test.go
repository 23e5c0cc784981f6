package tlsconfig_test

import (
	"crypto/tls"
	"crypto/x509"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// TestResumedSessionsAreChecked: a session that is resumed is held against the certificates as a new one is.
func TestResumedSessionsAreChecked(t *testing.T) {
	for versionName, version := range versions {
		t.Run(versionName, func(t *testing.T) {
			// The CA ends before the head's certificate, so that nothing but the check of the chain can refuse the session.
			now := time.Now()
			root, err := tlsconfig.NewAuthority("short", 2*time.Hour)
			require.NoError(t, err)
			identity := issue(t, root, tlsconfig.Template{Hosts: []string{"127.0.0.1"}, Server: true, NotAfter: now.Add(48 * time.Hour)})
			h := serve(t, capped(tlsconfig.Server(identity, nil), version))
			f := newFolder(t)
			f.put(t, "ca.pem", certPEM(root.Certificate()))
			var ahead atomic.Int64
			clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			config := open(t, f.files(""), tlsconfig.Names{}, tlsconfig.WithClock(clock)).Client(h.addr)
			var resumed []bool
			check := config.VerifyConnection
			config.VerifyConnection = func(state tls.ConnectionState) error {
				resumed = append(resumed, state.DidResume)
				return check(state)
			}

			_, err = call(config, h.addr)
			require.NoError(t, err)
			_, err = call(config, h.addr)
			require.NoError(t, err)
			ahead.Store(int64(3 * time.Hour))
			_, err = call(config, h.addr)
			var validity *tlsconfig.ValidityError
			require.ErrorAs(t, err, &validity)
			require.Equal(t, []bool{false, true, true}, resumed)
		})
	}
}

// TestReplacedCA: after the CA was replaced, the next connection is refused although there is a session; no one called Reload.
func TestReplacedCA(t *testing.T) {
	ours, other := authority(t, "ours"), authority(t, "other")
	h := serve(t, tlsconfig.Server(issue(t, ours, tlsconfig.Template{Hosts: []string{"127.0.0.1"}, Server: true}), nil))
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	live := open(t, f.files(""), tlsconfig.Names{})
	_, err := call(live.Client(h.addr), h.addr)
	require.NoError(t, err)
	state, err := call(live.Client(h.addr), h.addr)
	require.NoError(t, err)
	require.True(t, state.DidResume, "configurations of one head share sessions")

	f.put(t, "ca.pem", certPEM(other.Certificate()))
	_, err = call(live.Client(h.addr), h.addr)
	var unknown *tlsconfig.AuthorityError
	require.ErrorAs(t, err, &unknown)
}

// TestHeadForgetsSessions: a caller that a replaced CA no longer covers is not let in by its session; one that got a new
// certificate meanwhile is asked for it.
func TestHeadForgetsSessions(t *testing.T) {
	for versionName, version := range versions {
		t.Run(versionName, func(t *testing.T) {
			ours, other := authority(t, "ours"), authority(t, "other")
			roots := []*x509.Certificate{ours.Certificate()}
			f := newFolder(t)
			f.put(t, "ca.pem", certPEM(ours.Certificate()))
			f.putIdentity(t, "server", issue(t, ours, tlsconfig.Template{Hosts: []string{"127.0.0.1"}, Server: true}))
			live := open(t, f.files("server"), tlsconfig.Names{})
			h := serve(t, capped(live.Server(), version))
			before, after := issue(t, ours, tlsconfig.Template{CommonName: "before", Client: true}), issue(t, other, tlsconfig.Template{CommonName: "after", Client: true})
			mine := &before
			config := tlsconfig.Client(roots, nil)
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return mine, nil }

			_, err := call(config, h.addr)
			require.NoError(t, err)
			<-h.states
			_, err = call(config, h.addr)
			require.NoError(t, err)
			state := <-h.states
			require.True(t, state.DidResume)
			require.True(t, live.Trusted(&state))

			f.put(t, "ca.pem", certPEM(other.Certificate()))
			_, err = call(config, h.addr)
			require.Error(t, err)
			var unknown *tlsconfig.AuthorityError
			require.ErrorAs(t, <-h.errs, &unknown)

			mine = &after
			_, err = call(config, h.addr)
			require.NoError(t, err)
			state = <-h.states
			require.True(t, live.Trusted(&state))
		})
	}
}

// TestCallerForgetsSessions: a new identity is shown at the next connection, and not hidden behind a session of the old one.
func TestCallerForgetsSessions(t *testing.T) {
	ours := authority(t, "ours")
	roots := []*x509.Certificate{ours.Certificate()}
	h := serve(t, tlsconfig.Server(issue(t, ours, tlsconfig.Template{Hosts: []string{"127.0.0.1"}, Server: true}), roots))
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	f.putIdentity(t, "me", issue(t, ours, tlsconfig.Template{CommonName: "before", Client: true}))
	config := open(t, f.files("me"), tlsconfig.Names{}).Client(h.addr)
	for _, resumed := range []bool{false, true} {
		_, err := call(config, h.addr)
		require.NoError(t, err)
		state := <-h.states
		require.Equal(t, resumed, state.DidResume)
		require.Equal(t, "before", state.PeerCertificates[0].Subject.CommonName)
	}
	f.putIdentity(t, "me", issue(t, ours, tlsconfig.Template{CommonName: "after", Client: true}))
	_, err := call(config, h.addr)
	require.NoError(t, err)
	state := <-h.states
	require.Equal(t, "after", state.PeerCertificates[0].Subject.CommonName)
}
