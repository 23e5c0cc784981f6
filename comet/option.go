package comet

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Option changes what New builds.
type Option func(*settings)

type settings struct {
	logger   *slog.Logger
	tlsFor   func(hostport string) *tls.Config
	attempt  time.Duration
	restMin  time.Duration
	restMax  time.Duration
	answer   int64
	observer func(Attempt)
	hedge    time.Duration
	http2    bool
	plain    bool
	trust    Trust
}

func defaults(config *tls.Config) settings {
	return settings{
		logger:   slog.New(slog.DiscardHandler),
		tlsFor:   func(string) *tls.Config { return config },
		attempt:  10 * time.Second,
		restMin:  time.Second,
		restMax:  time.Minute,
		answer:   64 << 20,
		observer: func(Attempt) {},
	}
}

// check finds what New cannot work with.
func (s *settings) check(urls []string) error {
	switch {
	case s.logger == nil || s.observer == nil || s.tlsFor == nil:
		return errors.New("an option is given as nil")
	case s.attempt <= 0:
		return errors.New("the time of an attempt is not positive")
	case s.restMin <= 0 || s.restMax < s.restMin:
		return errors.New("a head's rest is not positive, or its most is less than its first")
	case s.answer <= 0:
		return errors.New("the limit of answers is not positive")
	}
	for _, u := range urls {
		switch plain := strings.HasPrefix(u, "http://"); {
		case plain && !s.plain:
			return fmt.Errorf("head %s has no TLS: whoever is in between sees the tokens; use https://", u)
		case !plain && s.tlsFor(hostPort(u)) == nil:
			return fmt.Errorf("nothing says whom to trust as head %s: give a TLS configuration", u)
		}
	}
	return nil
}

// Trust is where TLS configurations come from that change while the client lives. A *tlsconfig.Live is one.
type Trust interface {
	// Client returns the configuration for dialling a head; it is asked for anew when something changed.
	Client(hostport string) *tls.Config
	// Changed returns a channel that is closed at the next change.
	Changed() <-chan struct{}
}

// WithTrust sets where the TLS configuration of each head comes from; the *tls.Config given to New is not used then. When something
// changes, connections that were made before are given up, each as soon as no call uses it.
func WithTrust(t Trust) Option {
	return func(s *settings) {
		s.trust = t
		if s.tlsFor = nil; t != nil {
			s.tlsFor = t.Client
		}
	}
}

// WithoutTLS allows heads with http://: whoever is in between then sees and changes everything, tokens included.
func WithoutTLS() Option { return func(s *settings) { s.plain = true } }

// WithLogger sets where the client says that it leaves a head or comes back to one (Warn, Info), and every attempt (Debug).
// The default discards.
func WithLogger(l *slog.Logger) Option { return func(s *settings) { s.logger = l } }

// WithTLSFor sets the TLS configuration per head, which is asked for once for each; the *tls.Config given to New is not used
// then. It suits heads that are known by another name than their address. For certificates that change see WithTrust.
func WithTLSFor(config func(hostport string) *tls.Config) Option {
	return func(s *settings) { s.tlsFor = config }
}

// WithAttemptTimeout sets how long one attempt at one head may take, connecting and reading included; 10 s by default. An
// attempt never takes more than its share of the caller's time.
func WithAttemptTimeout(d time.Duration) Option { return func(s *settings) { s.attempt = d } }

// WithRest sets how long a head rests after its first failure, 1 s by default, and how long at most, a minute by default. The
// time doubles with each failure in a row; a random part of up to a half is taken off.
func WithRest(first, most time.Duration) Option {
	return func(s *settings) { s.restMin, s.restMax = first, most }
}

// WithAnswerLimit sets how many bytes of an answer are read before the attempt is given up; 64 MiB by default.
func WithAnswerLimit(bytes int64) Option { return func(s *settings) { s.answer = bytes } }

// WithObserver sets a function that is called after every attempt, from the goroutine that made it. It must be quick and safe for
// concurrent use.
func WithObserver(f func(Attempt)) Option { return func(s *settings) { s.observer = f } }

// WithHedge lets a read whose answer is late ask a second head at the same time; the first answer counts and the other request is
// cancelled. Late is what takes longer than nineteen in twenty of the last answers, and at least the given time. Off by default.
func WithHedge(least time.Duration) Option { return func(s *settings) { s.hedge = least } }

// WithHTTP2 lets the client speak HTTP/2 with heads that offer it. It saves connections, not time; HTTP/1.1 is the default. Dead
// connections are found by pings within the time of an attempt.
func WithHTTP2() Option { return func(s *settings) { s.http2 = true } }

// Attempt is one request to one head, for observers.
type Attempt struct {
	Op       string
	Head     string
	Status   int // 0 where there was no answer
	Duration time.Duration
	Class    Class
	Probe    bool // made beside the callers', to learn about the head
}

// Class tells attempts apart by what came of them.
type Class string

// The classes of attempts.
const (
	ClassOK       Class = "ok"       // an answer that settles the call, refusals included
	ClassConnect  Class = "connect"  // the head could not be reached
	ClassTLS      Class = "tls"      // one side did not trust the other
	ClassTimeout  Class = "timeout"  // no whole answer within the attempt's time
	ClassBroken   Class = "broken"   // the connection broke
	ClassStatus   Class = "status"   // 5xx, 408, 425, 429, or an answer that makes no sense
	ClassCanceled Class = "canceled" // the caller gave up
)
