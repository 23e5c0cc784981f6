package tlsconfig

import (
	"crypto"
	"crypto/md5" //nolint:gosec // to tell what is wrong with a certificate, never to trust one
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
)

// weakness names what a modern verifier would refuse in cert, or nothing.
func weakness(cert *x509.Certificate) string {
	if insecure(cert) && !selfIssued(cert) { // nobody checks the signature of a trusted root
		return fmt.Sprintf("certificate %s is signed with %s, which current TLS libraries refuse: have it issued anew", describe(cert), cert.SignatureAlgorithm)
	}
	if k, ok := cert.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < 2048 {
		return fmt.Sprintf("certificate %s has an RSA key of %d bits, which current TLS libraries refuse: have it issued anew", describe(cert), k.N.BitLen())
	}
	return ""
}

// insecure tells whether anybody could have made the signature of cert.
func insecure(cert *x509.Certificate) bool {
	switch cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

// weakLink finds the certificate whose signature is all that keeps chain from an anchor: the right key made it, in a way that is refused.
func (a anchors) weakLink(chain []*x509.Certificate) (weak *x509.Certificate) {
	if !slices.ContainsFunc(chain, insecure) {
		return nil
	}
	cert := chain[0]
	for range maxChain {
		issuer := signerOf(cert, a.certs)
		anchored := issuer != nil
		if !anchored {
			issuer = signerOf(cert, chain)
		}
		if issuer == nil {
			return nil
		}
		if weak == nil && insecure(cert) {
			weak = cert
		}
		if anchored {
			return weak
		}
		cert = issuer
	}
	return nil
}

func signerOf(cert *x509.Certificate, certs []*x509.Certificate) *x509.Certificate {
	for _, issuer := range namesakes(cert, certs) {
		if signedBy(cert, issuer) {
			return issuer
		}
	}
	return nil
}

// signedBy tells whether the key of issuer made the signature of cert, however weak that is.
func signedBy(cert, issuer *x509.Certificate) bool {
	if cert.SignatureAlgorithm == x509.MD5WithRSA { // which crypto/x509 does not check
		key, ok := issuer.PublicKey.(*rsa.PublicKey)
		sum := md5.Sum(cert.RawTBSCertificate) //nolint:gosec // see above
		return ok && rsa.VerifyPKCS1v15(key, crypto.MD5, sum[:], cert.Signature) == nil
	}
	return issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}
