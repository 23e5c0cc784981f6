package tlsconfig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

const (
	maxChain   = 10    // certificates in a chain
	minRSABits = 1024  // what crypto/tls signs with at least
	maxRSABits = 16384 // beyond, checking a signature takes minutes
)

// assemble makes an identity from a key and the certificates found with it, in whatever order: the leaf is the certificate
// of the key, and each next one issued the one before. Certificates that do not belong to the chain are left out.
func assemble(key any, certs []*x509.Certificate, now time.Time) (tls.Certificate, error) {
	signer, err := usableKey(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	if len(certs) == 0 {
		return tls.Certificate{}, fmt.Errorf("%w beside the private key", ErrNoCertificate)
	}
	leaf := leafOf(signer.Public(), certs, now)
	if leaf == nil {
		return tls.Certificate{}, fmt.Errorf("%w: none of the %d certificates is for the key (the first is %s)", ErrMismatch, len(certs), describe(certs[0]))
	}
	identity := tls.Certificate{PrivateKey: signer, Leaf: leaf}
	for _, cert := range chainOf(leaf, certs) {
		identity.Certificate = append(identity.Certificate, cert.Raw)
	}
	return identity, nil
}

// usableKey refuses keys that TLS cannot use.
func usableKey(key any) (crypto.Signer, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("%w: an RSA key of %d bits; have a certificate issued for one of 2048 or more", ErrUnsupported, bits)
		}
		return k, nil
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P224() {
			return nil, fmt.Errorf("%w: an EC key on P-224; use P-256", ErrUnsupported)
		}
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, fmt.Errorf("%w: a private key of a kind TLS does not use (RSA, ECDSA and Ed25519 are)", ErrUnsupported)
}

// leafOf finds the certificate of a key. Of several, as in a file that renewed ones were added to, it takes one that is valid now, and then
// the one issued last.
func leafOf(public crypto.PublicKey, certs []*x509.Certificate, now time.Time) (leaf *x509.Certificate) {
	for _, cert := range certs {
		if samePublic(cert.PublicKey, public) && (leaf == nil || preferable(cert, leaf, now)) {
			leaf = cert
		}
	}
	return leaf
}

func preferable(a, b *x509.Certificate, now time.Time) bool {
	if valid := checkValidity(a, now) == nil; valid != (checkValidity(b, now) == nil) {
		return valid
	}
	if !a.NotBefore.Equal(b.NotBefore) {
		return a.NotBefore.After(b.NotBefore)
	}
	return a.NotAfter.After(b.NotAfter)
}

func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// chainOf follows the issuers from leaf through certs.
func chainOf(leaf *x509.Certificate, certs []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for len(chain) < maxChain {
		last := chain[len(chain)-1]
		if selfIssued(last) {
			break
		}
		issuer := issuerOf(last, certs)
		if issuer == nil {
			break
		}
		chain = append(chain, issuer)
	}
	return chain
}

// namesakes are the certificates that may have issued cert, by name: a few of them, since a file of thousands must not take minutes to check.
func namesakes(cert *x509.Certificate, certs []*x509.Certificate) (issuers []*x509.Certificate) {
	const most = 8
	for _, issuer := range certs {
		if len(issuers) < most && bytes.Equal(issuer.RawSubject, cert.RawIssuer) && !issuer.Equal(cert) && affordable(issuer) {
			issuers = append(issuers, issuer)
		}
	}
	return issuers
}

// issuerOf finds who issued cert: by name, and of several with that name the one whose key signed it. Where no signature can
// be checked the first by name is taken; which certificates are sent along proves nothing, the other side checks them.
func issuerOf(cert *x509.Certificate, certs []*x509.Certificate) *x509.Certificate {
	issuers := namesakes(cert, certs)
	for _, issuer := range issuers {
		if signedBy(cert, issuer) {
			return issuer
		}
	}
	if len(issuers) > 0 {
		return issuers[0]
	}
	return nil
}

// selfIssued tells a root from a certificate that another issued.
func selfIssued(cert *x509.Certificate) bool { return bytes.Equal(cert.RawSubject, cert.RawIssuer) }

// affordable tells whether checking a signature by the key of cert takes no more than milliseconds.
func affordable(cert *x509.Certificate) bool {
	k, ok := cert.PublicKey.(*rsa.PublicKey)
	return !ok || k.N.BitLen() <= maxRSABits
}
