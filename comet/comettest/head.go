package comettest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"path"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/renci-nrig/comet-go/comet/internal/loopback"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// head is one head with its faults. Its address stays the same while it is stopped and started.
type head struct {
	address    string // fixed once it is made
	handler    http.Handler
	roots      *tls.Config // what tlsconfig.Server makes of our CA
	handshakes atomic.Int64

	mu          sync.Mutex
	wire        *wire
	server      *http.Server  // nil while it is stopped
	served      chan struct{} // closed when server has ended
	released    chan struct{} // closed to let calls go that hang
	certificate tls.Certificate
	faults      []*Fault
	calls       map[string]int
	called      chan struct{} // closed at the next call
}

func newHead(authority *tlsconfig.Authority, handler http.Handler) (*head, error) {
	certificate, err := authority.Server("comettest head", "localhost", "127.0.0.1", "::1")
	if err != nil {
		return nil, err
	}
	listener, err := loopback.Listen()
	if err != nil {
		return nil, err
	}
	h := &head{address: listener.Addr().String(), handler: handler, certificate: certificate, calls: map[string]int{}, released: make(chan struct{}), called: make(chan struct{})}
	h.roots = tlsconfig.Server(certificate, []*x509.Certificate{authority.Certificate()})
	h.serve(listener)
	return h, nil
}

// config is tlsconfig's for heads, with the certificate of the moment.
func (h *head) config() *tls.Config {
	config := h.roots.Clone()
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		h.handshakes.Add(1)
		return verify(state)
	}
	config.Certificates = nil
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		certificate := h.certificate
		return &certificate, nil
	}
	return config
}

// patience is how long a head waits for somebody who has its port meanwhile: another test, most likely.
const patience = 20 * time.Second

func (h *head) start() error {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		listener, err := net.Listen("tcp", h.address)
		if err == nil {
			h.serve(listener)
			return nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(end) {
			return err
		}
	}
}

func (h *head) serve(listener net.Listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wire = newWire(listener)
	h.served = make(chan struct{})
	h.server = &http.Server{
		Handler:           h,
		TLSConfig:         h.config(),
		ConnContext:       server.ConnContext,
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
	}
	go func(s *http.Server, l net.Listener, served chan struct{}) {
		defer close(served)
		s.ServeTLS(l, "", "") // returns when the server is closed
	}(h.server, h.wire, h.served)
}

func (h *head) freeze(mute bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wire.freeze(mute)
}

func (h *head) stop() {
	h.mu.Lock()
	s, served := h.server, h.served
	h.server = nil
	h.release()
	h.mu.Unlock()
	if s != nil {
		s.Close()
		<-served
	}
}

// release lets hanging calls go. The lock is held.
func (h *head) release() {
	close(h.released)
	h.released = make(chan struct{})
}

func (h *head) set(faults []Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.release()
	h.faults = nil
	for _, f := range faults {
		h.faults = append(h.faults, &f)
	}
}

func (h *head) present(certificate tls.Certificate) error {
	h.mu.Lock()
	h.certificate = certificate
	running := h.server != nil
	h.mu.Unlock()
	if !running {
		return nil
	}
	h.stop()
	return h.start()
}

func (h *head) count(call string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if call != "" {
		return h.calls[call]
	}
	all := 0
	for _, n := range h.calls {
		all += n
	}
	return all
}

func (h *head) await(ctx context.Context, call string, n int) {
	for {
		h.mu.Lock()
		calls, next := h.calls[call], h.called
		h.mu.Unlock()
		if calls >= n {
			return
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// fault counts a call and returns the fault that applies to it, or nil, with the channel that ends its hanging.
func (h *head) fault(call string) (*Fault, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls[call]++
	close(h.called)
	h.called = make(chan struct{})
	for _, f := range h.faults {
		if f.applies(call) {
			return f, h.released
		}
	}
	return nil, h.released
}

// ServeHTTP answers as a head does, or as the fault of the moment says.
func (h *head) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, released := h.fault(path.Base(r.URL.Path))
	if f == nil {
		h.handler.ServeHTTP(w, r)
		return
	}
	f.serve(w, r, h.handler, released)
}
