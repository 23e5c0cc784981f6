package faulttest

import (
	"crypto/tls"
	"sync"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// Identity is a client's certificate that is renewed, and expires, while the client works. It is a comet.Trust.
type Identity struct {
	heads *comettest.Heads

	mu          sync.Mutex
	certificate tls.Certificate
	changed     chan struct{}
}

// NewIdentity returns an identity that the heads trust.
func NewIdentity(heads *comettest.Heads) *Identity {
	i := &Identity{heads: heads, changed: make(chan struct{})}
	i.renew(hour)
	return i
}

// Client returns the configuration for dialling a head.
func (i *Identity) Client(string) *tls.Config {
	i.mu.Lock()
	defer i.mu.Unlock()
	certificate := i.certificate
	return tlsconfig.Client(i.heads.Roots(), &certificate)
}

// Changed returns a channel that is closed when the certificate is another.
func (i *Identity) Changed() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changed
}

func (i *Identity) renew(valid period) {
	certificate := issue(i.heads, tlsconfig.Template{CommonName: "faulttest client", Client: true}, valid)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.certificate = certificate
	close(i.changed)
	i.changed = make(chan struct{})
}

// Part is what befalls the identity.
func (i *Identity) Part() Part {
	well := func() { i.renew(hour) }
	return Part{"client's certificate", []Fault{
		{Name: "is renewed", Strike: well, Mend: func() {}},
		{Name: "ends while connections live", Strike: func() { i.renew(soon) }, Mend: well, Lasts: Long},
		{Name: "has expired", Strike: func() { i.renew(yesterday) }, Mend: well},
		{Name: "is not valid yet", Strike: func() { i.renew(tomorrow) }, Mend: well},
	}}
}
