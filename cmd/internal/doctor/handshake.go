package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"sync"
)

// handshake keeps what was seen of the first TLS handshake with a head. The transport calls from its own goroutines.
type handshake struct {
	mu sync.Mutex
	seen
}

// seen is what one handshake came to.
type seen struct {
	state   *tls.ConnectionState // nil where the head showed no certificate
	refused error                // why we do not trust the head
	asked   bool                 // for our certificate
	wanted  []string             // the CAs that the head would like it to be from
	sent    *x509.Certificate    // nil: none
}

func (h *handshake) look() seen {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen
}

func (s seen) distrusted() bool { return s.refused != nil }

// watch returns the configuration with eyes. Sessions are not resumed: the whole chain is to be seen.
func (h *handshake) watch(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.ClientSessionCache = nil
	verify, choose := config.VerifyConnection, config.GetClientCertificate
	config.VerifyConnection = func(state tls.ConnectionState) error {
		var err error
		if verify != nil {
			err = verify(state)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.state, h.refused = &state, err
		return err
	}
	config.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		ours := &tls.Certificate{}
		if choose != nil {
			var err error
			if ours, err = choose(asked); err != nil {
				return nil, err
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asked, h.wanted, h.sent = true, subjects(asked.AcceptableCAs), ours.Leaf
		return ours, nil
	}
	return config
}

// unverified returns the configuration without trust and without our certificate.
func unverified(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.InsecureSkipVerify = true //nolint:gosec // nothing secret is sent, and what comes back is called unverified
	config.VerifyConnection, config.GetClientCertificate = nil, nil
	return config
}

// subjects reads names of CAs as they are in a handshake.
func subjects(raw [][]byte) []string {
	var names []string
	for _, r := range raw {
		var rdn pkix.RDNSequence
		if rest, err := asn1.Unmarshal(r, &rdn); err != nil || len(rest) > 0 {
			continue
		}
		var name pkix.Name
		name.FillFromRDNSequence(&rdn)
		names = append(names, fmt.Sprintf("%q", name.String()))
	}
	return names
}
