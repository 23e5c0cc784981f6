package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ParseKeyPair returns the identity in a certificate and a key file, or in one file given twice: PEM (chain behind or before
// the certificate, key in either file, any order) or DER. The key may be PKCS#1, PKCS#8, SEC1, encrypted PKCS#8, or
// encrypted in the traditional way (DEK-Info); keyPassword opens the last two. Errors: ErrNoCertificate, ErrNoKey, ErrPassword,
// ErrMismatch, ErrMalformed, ErrUnsupported.
//
// Of several certificates for the key it takes one that is valid now, and then the one issued last.
func ParseKeyPair(cert, key []byte, keyPassword Password) (tls.Certificate, error) {
	return parseKeyPair(cert, key, keyPassword, time.Now())
}

func parseKeyPair(cert, key []byte, keyPassword Password, now time.Time) (identity tls.Certificate, err error) {
	defer guard(&err)
	var certs []*x509.Certificate
	var blocks []*pem.Block
	for _, data := range [][]byte{cert, key} {
		c, k, err := parsePairFile(data)
		if err != nil {
			return tls.Certificate{}, err
		}
		certs, blocks = append(certs, c...), append(blocks, k...)
	}
	if len(certs) == 0 {
		return tls.Certificate{}, fmt.Errorf("%w in it, only %s; give the certificate of the key, as PEM", ErrNoCertificate, pemTypes(cert))
	}
	if len(blocks) == 0 {
		return tls.Certificate{}, fmt.Errorf("%w in it, only %s; give the key, as PEM", ErrNoKey, pemTypes(append(slices.Clip(cert), key...)))
	}
	return pair(distinct(certs), blocks, keyPassword, now)
}

// pair takes the first key that belongs to one of the certificates.
func pair(certs []*x509.Certificate, blocks []*pem.Block, password Password, now time.Time) (identity tls.Certificate, err error) {
	const most = 8 // keys in one file; each encrypted one may cost a second
	for _, block := range blocks[:min(len(blocks), most)] {
		var key any
		if key, err = parseKeyBlock(block, password); err != nil {
			continue
		}
		if identity, err = assemble(key, certs, now); err == nil {
			return identity, nil
		}
	}
	return tls.Certificate{}, err
}

// parsePairFile returns the certificates in one file, and its private keys still closed.
func parsePairFile(data []byte) ([]*x509.Certificate, []*pem.Block, error) {
	if err := checkSize(data); err != nil {
		return nil, nil, err
	}
	switch f := formOf(data); f {
	case formPEM:
		certs, err := pemCertificates(data)
		return certs, pemKeys(data), err
	case formDER:
		certs, _, err := parseCA(data, Password{})
		return certs, nil, err
	case formDERKey:
		return nil, []*pem.Block{{Type: "DER", Bytes: data}}, nil
	case formJKS, formPKCS12:
		return nil, nil, fmt.Errorf("%w: a %s key store here; name it as the key store instead of as certificate and key", ErrUnsupported, f)
	default:
		return nil, nil, refuse(f, "a certificate or key as PEM")
	}
}

// pemCertificates returns every certificate of a bundle, in order; text and other blocks are passed over.
func pemCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for _, block := range pemBlocks(data) {
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE":
		case "TRUSTED CERTIFICATE":
			return nil, fmt.Errorf("%w: an OpenSSL trusted certificate; convert it with: openssl x509 -in FILE -out FILE.pem", ErrUnsupported)
		case "PKCS7":
			return nil, refuse(formPKCS7, "")
		default:
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w certificate number %d: %s", ErrMalformed, len(certs)+1, plain(err))
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

func pemKeys(data []byte) []*pem.Block {
	return slices.DeleteFunc(pemBlocks(data), func(b *pem.Block) bool { return !strings.HasSuffix(b.Type, "PRIVATE KEY") })
}

func pemBlocks(data []byte) (blocks []*pem.Block) {
	data = trimBOM(data)
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return blocks
		}
		blocks = append(blocks, block)
	}
}

// pemTypes says what is in a PEM file, for errors about what is not.
func pemTypes(data []byte) string {
	var types []string
	for _, block := range pemBlocks(data) {
		if !slices.Contains(types, block.Type) && len(block.Type) <= 32 {
			types = append(types, block.Type)
		}
	}
	if len(types) == 0 {
		return "damaged blocks or text"
	}
	return listed(types)
}
