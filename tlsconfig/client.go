package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync"
	"time"
)

// sessionsPerHead is how many TLS sessions are kept for resumption with one head.
const sessionsPerHead = 32

// Client returns a fresh configuration for dialling heads: TLS 1.2 or later, the head's certificate must lead to one of roots and
// name the host that is dialled. The identity, if not nil, is sent whenever a head asks for one, whatever CAs the head says it
// would like: crypto/tls by itself silently sends none when that list does not match.
func Client(roots []*x509.Certificate, identity *tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		RootCAs:              poolOf(roots), // never nil, which would mean the roots of the system
		ClientSessionCache:   tls.NewLRUClientSessionCache(sessionsPerHead),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return orNone(identity), nil },
	}
}

func orNone(identity *tls.Certificate) *tls.Certificate {
	if identity == nil {
		return &tls.Certificate{}
	}
	return identity
}

// Client returns the configuration for dialling the head at hostport ("HOST:PORT"). It follows the files: each handshake, a resumed one
// too, is checked against the CA and the name rule of that moment and sends the identity of that moment. Configurations of one head share
// their sessions. Safe for concurrent use; it may be cloned.
func (l *Live) Client(hostport string) *tls.Config {
	head := normalHead(hostport)
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		Time:               l.now,
		ServerName:         l.names.serverName(head),
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection below does it, which runs on resumed sessions as well
		ClientSessionCache: l.sessionsOf(head),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return orNone(l.current().identity), nil
		},
	}
	if !l.names.Insecure {
		config.VerifyConnection = func(state tls.ConnectionState) error { return l.verifyHead(state, head) }
	}
	return config
}

// verifyHead checks the certificate of a head; before it refuses, it reads the files once more.
func (l *Live) verifyHead(state tls.ConnectionState, head string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the head showed no certificate")
	}
	err := l.verified(func(a anchors) error {
		return a.verify(state.PeerCertificates, x509.ExtKeyUsageServerAuth, l.now())
	})
	if err == nil {
		err = l.names.check(state.PeerCertificates[0], head)
	}
	if err != nil {
		return handshakeError(state, err)
	}
	return nil
}

// sessions keeps the TLS sessions with one head, as long as the files they were made under are in use: a session carries the
// client certificate it began with, and a head may have come to refuse that one.
type sessions struct {
	live *Live

	mu    sync.Mutex
	of    *material
	since time.Time // when of came to use; zero for the first
	kept  tls.ClientSessionCache
}

// settling is how long after a change no session is kept: it may come from a handshake that began before.
const settling = time.Minute

func (l *Live) sessionsOf(head string) *sessions {
	l.sessionsMu.Lock()
	defer l.sessionsMu.Unlock()
	if l.sessions[head] == nil {
		l.sessions[head] = &sessions{live: l}
	}
	return l.sessions[head]
}

// Get is the first thing a handshake does, so the files are looked at here.
func (s *sessions) Get(key string) (*tls.ClientSessionState, bool) {
	s.live.glance()
	return s.cache().Get(key)
}

// Put keeps a session.
func (s *sessions) Put(key string, session *tls.ClientSessionState) {
	cache := s.cache()
	s.mu.Lock()
	settled := time.Since(s.since) > settling
	s.mu.Unlock()
	if settled || session == nil { // nil takes one away
		cache.Put(key, session)
	}
}

func (s *sessions) cache() tls.ClientSessionCache {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.live.current(); s.of != now {
		if s.of != nil {
			s.since = time.Now()
		}
		s.of, s.kept = now, tls.NewLRUClientSessionCache(sessionsPerHead)
	}
	return s.kept
}
