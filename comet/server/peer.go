package server

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// trustFor is how long a verdict on a client's certificate holds: verifying a chain costs more than a request, and a changed CA
// should still take effect soon.
const trustFor = time.Minute

// peer remembers the verdict on the client at the other end of one connection.
type peer struct {
	mu      sync.Mutex
	trusted bool
	until   time.Time

	once    sync.Once
	subject string
}

type peerKey struct{}

// ConnContext gives each connection a place for the verdict on its client. Use it as an [http.Server]'s ConnContext; Serve does.
// Without it a head judges every request anew.
func ConnContext(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, new(peer))
}

// trusted reports whether the client shows a certificate that the head trusts.
func (h *Head) trusted(v *visit) bool {
	if h.trust == nil || v.TLS == nil || len(v.TLS.PeerCertificates) == 0 {
		return false
	}
	p, ok := v.Context().Value(peerKey{}).(*peer)
	if !ok {
		return h.trust(v.TLS)
	}
	return p.judge(v.TLS, h.trust, time.Now())
}

func (p *peer) judge(c *tls.ConnectionState, trust func(*tls.ConnectionState) bool, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.After(p.until) {
		p.trusted, p.until = trust(c), now.Add(trustFor)
		if end := c.PeerCertificates[0].NotAfter; end.Before(p.until) {
			p.until = end // the moment when the certificate expires is one to judge again
		}
	}
	return p.trusted
}
