package tlsconfig

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// Server returns a fresh configuration for a head: TLS 1.2 or later, a client certificate is asked for but not required.
//
// One that is presented is checked in the handshake: it must be in its period, and lead to one of clientRoots or be signed by
// itself. Trusted tells the two apart. No list of wanted CAs is sent: clients would keep certificates back that do not match.
func Server(identity tls.Certificate, clientRoots []*x509.Certificate) *tls.Config {
	roots := anchorsOf(clientRoots, "")
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{identity},
		ClientAuth:   tls.RequestClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			if err := roots.verifyPeer(state.PeerCertificates, time.Now()); err != nil {
				return handshakeError(state, err)
			}
			return nil
		},
	}
}

// Server returns the configuration for a head: like the function Server, with the identity and the client roots of the files as they
// are at each handshake. A session from before a change is not resumed; the client is asked for its certificate anew. Without an
// identity every handshake fails. It may be cloned; its Certificates must stay empty, because crypto/tls prefers them to the files for
// callers that dial an address (httptest's StartTLS fills them: give it a listener of tls.NewListener instead).
func (l *Live) Server() *tls.Config {
	base := &tls.Config{
		MinVersion: tls.VersionTLS12,
		Time:       l.now,
		ClientAuth: tls.RequestClientCert,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			l.glance()
			return nil, nil
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if identity := l.current().identity; identity != nil {
				return identity, nil
			}
			return nil, errors.New("no certificate for this head: name a key store, or a certificate and its key")
		},
		VerifyConnection: func(state tls.ConnectionState) error {
			err := l.verified(func(a anchors) error { return a.verifyPeer(state.PeerCertificates, l.now()) })
			if err != nil {
				return handshakeError(state, err)
			}
			return nil
		},
	}
	l.markTickets(base)
	return base
}

// markTickets puts into each session ticket under which files it was made, and takes back only those of the present ones.
func (l *Live) markTickets(base *tls.Config) {
	keys := &tls.Config{MinVersion: tls.VersionTLS12, Time: l.now} // keeps the ticket keys, also for clones of base
	base.WrapSession = func(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		session.Extra = append(session.Extra, l.current().mark)
		return keys.EncryptTicket(state, session)
	}
	base.UnwrapSession = func(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
		session, err := keys.DecryptTicket(ticket, state)
		if err != nil || session == nil {
			return nil, err
		}
		mark := string(l.current().mark)
		if !slices.ContainsFunc(session.Extra, func(b []byte) bool { return string(b) == mark }) {
			return nil, nil
		}
		return session, nil
	}
}

// newMark returns the mark of tickets made under one reading of the files.
func newMark() []byte { return []byte(rand.Text()) }

// Trusted tells whether the peer presented a certificate that leads to one of the present client roots, is in its period and
// is for clients. A nil state, or one without certificates, is not trusted.
func (l *Live) Trusted(state *tls.ConnectionState) bool {
	return l.current().anchors.trusted(state, l.now())
}
