package comettest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// Heads are several heads over one store. Its methods may be called from any goroutine, but Start, Client and what else can fail
// the test from the test's own.
type Heads struct {
	t         testing.TB
	authority *tlsconfig.Authority
	identity  tls.Certificate // of Client
	heads     []*head
}

// Start starts n heads. They serve until the test ends. options go to each head; by default whoever has a certificate of Client's
// CA may create and delete, and nothing is logged.
func Start(t testing.TB, n int, options ...server.Option) *Heads {
	t.Helper()
	return start(t, n, newStore(t), newAuthority(t), options)
}

// StartOn is Start over a store of the caller's, who closes it after the test.
func StartOn(t testing.TB, n int, store server.Store, options ...server.Option) *Heads {
	t.Helper()
	return start(t, n, store, newAuthority(t), options)
}

// StartEach starts one head over each of the stores, which are the caller's as with StartOn and show one and the same, such as an
// etcd cluster that every head has opened for itself.
func StartEach(t testing.TB, stores []server.Store, options ...server.Option) *Heads {
	t.Helper()
	h := newHeads(t, newAuthority(t))
	for _, store := range stores {
		h.add(h.handler(store, options))
	}
	return h
}

// StartUnder is Start with certificates of the caller's CA: for tests of programs that read certificates from files, such as those
// of tlsconfig.WriteDevelopment.
func StartUnder(t testing.TB, n int, authority *tlsconfig.Authority, options ...server.Option) *Heads {
	t.Helper()
	return start(t, n, newStore(t), authority, options)
}

func newStore(t testing.TB) server.Store {
	t.Helper()
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	must(t, err)
	t.Cleanup(func() { store.Close() })
	return store
}

func newAuthority(t testing.TB) *tlsconfig.Authority {
	t.Helper()
	authority, err := tlsconfig.NewAuthority("comettest CA", 24*time.Hour)
	must(t, err)
	return authority
}

func start(t testing.TB, n int, store server.Store, authority *tlsconfig.Authority, options []server.Option) *Heads {
	t.Helper()
	h := newHeads(t, authority)
	handler := h.handler(store, options)
	for range n {
		h.add(handler)
	}
	return h
}

func newHeads(t testing.TB, authority *tlsconfig.Authority) *Heads {
	t.Helper()
	identity, err := authority.Client("comettest client")
	must(t, err)
	return &Heads{t: t, authority: authority, identity: identity}
}

func (h *Heads) handler(store server.Store, options []server.Option) http.Handler {
	return server.New(store, append([]server.Option{
		server.WithLogger(slog.New(slog.DiscardHandler)),
		server.WithTrust(func(s *tls.ConnectionState) bool { return tlsconfig.Trusted(s, h.Roots()) }),
	}, options...)...)
}

func (h *Heads) add(handler http.Handler) {
	h.t.Helper()
	one, err := newHead(h.authority, handler)
	must(h.t, err)
	h.t.Cleanup(one.stop)
	h.heads = append(h.heads, one)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// List returns the heads as everybody is given them: "https://127.0.0.1:…/,https://127.0.0.1:…/".
func (h *Heads) List() string {
	urls := make([]string, len(h.heads))
	for i := range h.heads {
		urls[i] = h.URL(i) + "/"
	}
	return strings.Join(urls, ",")
}

// URL returns the base URL of head i, without a slash at its end.
func (h *Heads) URL(i int) string { return "https://" + h.heads[i].address }

// Index returns which head has this base URL, or -1.
func (h *Heads) Index(url string) int {
	for i := range h.heads {
		if h.URL(i) == strings.TrimSuffix(url, "/") {
			return i
		}
	}
	return -1
}

// Authority returns the CA that all certificates here come from, to issue more.
func (h *Heads) Authority() *tlsconfig.Authority { return h.authority }

// TLS returns a fresh configuration for a client with a certificate that the heads trust.
func (h *Heads) TLS() *tls.Config { return tlsconfig.Client(h.Roots(), &h.identity) }

// Client returns a client of all the heads, with a certificate that they trust. It is closed when the test ends.
func (h *Heads) Client(options ...comet.Option) *comet.Client {
	h.t.Helper()
	c, err := comet.New(h.List(), h.TLS(), options...)
	must(h.t, err)
	h.t.Cleanup(func() { c.Close() })
	return c
}

// Stop ends head i at once: connections break, new ones are refused.
func (h *Heads) Stop(i int) { h.heads[i].stop() }

// Restart starts head i again, at the same address.
func (h *Heads) Restart(i int) {
	h.t.Helper()
	must(h.t, h.heads[i].start())
}

// Set makes head i misbehave from now on, in place of what was set before; the first fault that applies to a call counts. Without
// faults the head is well again.
func (h *Heads) Set(i int, faults ...Fault) { h.heads[i].set(faults) }

// Present makes head i show this certificate on new connections; connections that are open are closed. Heads start with one of
// Authority for the loopback addresses.
func (h *Heads) Present(i int, certificate tls.Certificate) {
	h.t.Helper()
	must(h.t, h.heads[i].present(certificate))
}

// Freeze lets the open connections of head i go dead without closing them, as when a firewall forgets them. New ones are served.
func (h *Heads) Freeze(i int) { h.heads[i].freeze(false) }

// Mute lets head i say nothing more, neither on open connections nor on those that it goes on accepting, until it is stopped.
func (h *Heads) Mute(i int) { h.heads[i].freeze(true) }

// Calls returns how many requests of a call, such as "readScope", head i got since it was made; of all calls where call is empty.
func (h *Heads) Calls(i int, call string) int { return h.heads[i].count(call) }

// Await returns when head i has got n requests of a call since it was made, or when ctx ends.
func (h *Heads) Await(ctx context.Context, i int, call string, n int) { h.heads[i].await(ctx, call, n) }

// Handshakes returns how many TLS connections head i accepted, resumed ones included.
func (h *Heads) Handshakes(i int) int { return int(h.heads[i].handshakes.Load()) }

// Roots returns what a client of the heads has to trust.
func (h *Heads) Roots() []*x509.Certificate {
	return []*x509.Certificate{h.authority.Certificate()}
}

// Expired returns a head's certificate of Authority that ended an hour ago, for Present.
func (h *Heads) Expired() tls.Certificate {
	h.t.Helper()
	certificate, err := h.authority.Issue(tlsconfig.Template{
		CommonName: "comettest expired head", Hosts: []string{"localhost", "127.0.0.1", "::1"}, Server: true,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
	})
	must(h.t, err)
	return certificate
}

// Foreign returns a head's certificate of a CA that nobody here trusts, for Present.
func (h *Heads) Foreign() tls.Certificate {
	h.t.Helper()
	stranger, err := tlsconfig.NewAuthority("comettest foreign CA", time.Hour)
	must(h.t, err)
	certificate, err := stranger.Server("comettest foreign head", "localhost", "127.0.0.1", "::1")
	must(h.t, err)
	return certificate
}
