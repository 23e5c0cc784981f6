package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// anchors are the CAs trusted at one moment.
type anchors struct {
	certs []*x509.Certificate
	pool  *x509.CertPool
	file  string // where they came from, for errors
}

func anchorsOf(certs []*x509.Certificate, file string) anchors {
	return anchors{certs: certs, pool: poolOf(certs), file: file}
}

// verify checks that the first of chain leads to an anchor, is in its period and is for usage.
func (a anchors) verify(chain []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) error {
	leaf := chain[0]
	if err := checkValidity(leaf, now); err != nil {
		return err
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:         a.pool,
		Intermediates: poolOf(chain[1:]),
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{usage},
	})
	if err == nil {
		return nil
	}
	return a.explain(chain, err, usage, now)
}

// explain turns what crypto/x509 says into an error that says what to do.
func (a anchors) explain(chain []*x509.Certificate, err error, usage x509.ExtKeyUsage, now time.Time) error {
	leaf := chain[0]
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) {
		switch invalid.Reason {
		case x509.Expired:
			return &ValidityError{Certificate: invalid.Cert, Now: now}
		case x509.IncompatibleUsage:
			wanted := "server"
			if usage == x509.ExtKeyUsageClientAuth {
				wanted = "client"
			}
			return &UsageError{Certificate: leaf, Wanted: wanted, Err: err}
		}
	}
	if weak := a.weakLink(chain); weak != nil {
		return &SignatureError{Certificate: weak, Err: x509.InsecureAlgorithmError(weak.SignatureAlgorithm)}
	}
	return &AuthorityError{Certificate: leaf, CA: a.file, Namesake: issuerOf(leaf, a.certs), Err: err}
}

// verifyPeer checks the certificate of a client that presented one: it may lead to an anchor, or be its own issuer (its holder
// is then known by key, but trusted with nothing). Everything else is foreign and refused.
func (a anchors) verifyPeer(chain []*x509.Certificate, now time.Time) error {
	if len(chain) == 0 {
		return nil
	}
	err := a.verify(chain, x509.ExtKeyUsageClientAuth, now)
	if err != nil && checkValidity(chain[0], now) == nil && selfSigned(chain[0]) {
		return nil
	}
	return err
}

// trusted tells whether chain leads to an anchor, for clients.
func (a anchors) trusted(state *tls.ConnectionState, now time.Time) bool {
	return state != nil && len(state.PeerCertificates) > 0 && a.verify(state.PeerCertificates, x509.ExtKeyUsageClientAuth, now) == nil
}

// selfSigned tells whether cert was signed by its own key.
func selfSigned(cert *x509.Certificate) bool {
	return selfIssued(cert) &&
		cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// handshakeError wraps a refusal the way crypto/tls wraps its own, so that callers recognise it without knowing this package.
func handshakeError(state tls.ConnectionState, err error) error {
	return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
}

// Trusted tells whether the peer presented a certificate that leads to one of roots, is in its period now and is for clients.
// A nil state, or one without certificates, is not trusted.
func Trusted(state *tls.ConnectionState, roots []*x509.Certificate) bool {
	return anchorsOf(roots, "").trusted(state, time.Now())
}
