package tlsconfig

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"strings"
)

// ParseCA returns the certificates to trust in data: DER (one or several on end), PEM (a bundle, with any text between), or
// the trusted entries of a JKS or PKCS#12 store, which password opens. It never returns none without an error: ErrNoCertificate,
// ErrPassword, ErrMalformed or ErrUnsupported.
func ParseCA(data []byte, password Password) (certs []*x509.Certificate, err error) {
	defer guard(&err)
	certs, _, err = parseCA(data, password)
	return certs, err
}

func parseCA(data []byte, password Password) (certs []*x509.Certificate, f form, err error) {
	if err := checkSize(data); err != nil {
		return nil, formUnknown, err
	}
	switch f = formOf(data); f {
	case formPEM:
		certs, err = pemCertificates(data)
		if err == nil && len(certs) == 0 {
			err = fmt.Errorf("%w in it, only %s; a CA as PEM or DER is wanted", ErrNoCertificate, pemTypes(data))
		}
	case formDER:
		if certs, err = x509.ParseCertificates(data); err != nil {
			err = fmt.Errorf("%w DER certificate: %s", ErrMalformed, plain(err))
		}
	case formJKS, formPKCS12:
		certs, err = trustedIn(data, f, password)
	case formEmpty:
		err = fmt.Errorf("%w in it: it is empty; a CA as PEM or DER is wanted", ErrNoCertificate)
	default:
		err = refuse(f, "a CA as PEM or DER")
	}
	if err != nil {
		return nil, f, err
	}
	for _, cert := range certs {
		if !affordable(cert) {
			return nil, f, fmt.Errorf("%w: certificate %s has an RSA key of more than %d bits", ErrUnsupported, describe(cert), maxRSABits)
		}
	}
	return distinct(certs), f, nil
}

// trustedIn returns the trusted entries of a key store.
func trustedIn(data []byte, f form, password Password) ([]*x509.Certificate, error) {
	store, err := openStore(data, f, password)
	if err != nil {
		return nil, err
	}
	certs, err := store.trusted()
	if err != nil {
		return nil, err
	}
	switch {
	case len(certs) == 0 && len(store.keys) == 0:
		return nil, fmt.Errorf("%w in it: the key store is empty", ErrNoCertificate)
	case len(certs) == 0:
		return nil, fmt.Errorf("%w entry in it, only private keys (%s); export the CA with: keytool -exportcert -rfc -alias ALIAS -keystore FILE",
			errNoTrusted, store.aliases())
	}
	return certs, nil
}

var errNoTrusted = fmt.Errorf("%w that is a trusted", ErrNoCertificate)

func distinct(certs []*x509.Certificate) []*x509.Certificate {
	seen := map[string]bool{}
	var once []*x509.Certificate
	for _, cert := range certs {
		if !seen[string(cert.Raw)] {
			seen[string(cert.Raw)] = true
			once = append(once, cert)
		}
	}
	return once
}

// plain strips the prefix of crypto/x509 and encoding/asn1 errors, which quote structure and never content.
func plain(err error) string {
	s := strings.TrimPrefix(err.Error(), "x509: ")
	return strings.TrimPrefix(s, "asn1: ")
}

// trimBOM takes off the mark that Windows editors put before the first line, which hides it from the PEM reader.
func trimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }
