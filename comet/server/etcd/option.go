package etcd

import (
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// DefaultTimeout is how long etcd may take for one answer, an election of its leader included.
const DefaultTimeout = 5 * time.Second

type settings struct {
	tlsFor   func(hostport string) *tls.Config
	user     string
	password tlsconfig.Password
	timeout  time.Duration
	expiry   time.Duration
	log      *slog.Logger
	existing bool
}

// Option changes how Open reaches etcd.
type Option func(*settings)

// WithTLSFor speaks TLS to etcd, to each member ("HOST:PORT") by the configuration that config returns for it. Without it nothing is
// encrypted.
func WithTLSFor(config func(hostport string) *tls.Config) Option {
	return func(s *settings) { s.tlsFor = config }
}

// WithUser logs in to an etcd that asks for it.
func WithUser(name string, password tlsconfig.Password) Option {
	return func(s *settings) { s.user, s.password = name, password }
}

// WithTimeout is how long etcd may take for one answer before the call fails with ErrUnavailable; DefaultTimeout without it. The first
// member that is asked gets an eighth of it, and the next ones more. A change needs two answers.
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// WithExpiry takes away what nobody reads or writes any more: all that one read token shows in a context goes together, once it was
// left alone for longer than expiry and at the latest soon after twice that. Without it everything stays. What lapsed while no head ran
// gets a new life from the first one that opens the store, and what was written without an expiry begins its life when a head with one
// looks. All heads on a store must be given the same, or none.
func WithExpiry(expiry time.Duration) Option { return func(s *settings) { s.expiry = expiry } }

// WithLogger tells when the watch of etcd breaks and is whole again. Without it nothing is told.
func WithLogger(log *slog.Logger) Option { return func(s *settings) { s.log = log } }

// WithoutMaking opens only a store that is there; else the error is ErrNoStore.
func WithoutMaking() Option { return func(s *settings) { s.existing = true } }
