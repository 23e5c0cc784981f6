package tlsconfig

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// openPKCS12 reads a PKCS#12 store of any number of keys and trusted certificates.
//
// The library decrypts, but answers only for stores with one key and takes the first certificate for its own, which is wrong
// where trusted certificates come first. So the store is taken apart (see readPFX) and the library is handed one part at a time.
func openPKCS12(data []byte, password Password) (*keyStore, error) {
	if len(data) > 1 && data[1] == 0x80 {
		return nil, fmt.Errorf("%w: PKCS#12 in BER; rewrite it with: openssl pkcs12 -in FILE -nodes -out T.pem && openssl pkcs12 -export -in T.pem -out FILE.p12", ErrUnsupported)
	}
	parts, err := readPFX(data)
	if err != nil {
		return nil, err
	}
	if parts.sealed {
		if err := checkMAC(data, password); err != nil {
			return nil, err
		}
	}
	certs, err := parts.certificates(password)
	if err != nil {
		return nil, err
	}
	return parts.store(certs), nil
}

// store turns the parts into entries.
func (p *pfxParts) store(certs []*x509.Certificate) *keyStore {
	all := func() ([]*x509.Certificate, error) { return certs, nil }
	store := &keyStore{trusted: all}
	if len(p.keys) > 0 {
		store.trusted = func() ([]*x509.Certificate, error) { return authorities(certs), nil }
	}
	for _, bag := range p.keys {
		store.keys = append(store.keys, keyEntry{
			alias:   bag.alias,
			decrypt: func(password Password) (any, error) { return bag.decrypt(password) },
			certs:   all,
		})
	}
	return store
}

// authorities leaves out the certificates that belong to the keys of a mixed store: PKCS#12 does not tell them apart reliably.
func authorities(certs []*x509.Certificate) []*x509.Certificate {
	var cas []*x509.Certificate
	for _, cert := range certs {
		if cert.IsCA {
			cas = append(cas, cert)
		}
	}
	return cas
}

// checkMAC has the library verify the seal of the store. What it says after that about the content is of no interest here;
// anything it says that is not known to come after the seal counts as a failure.
func checkMAC(data []byte, password Password) error {
	_, err := pkcs12.DecodeTrustStore(data, password.Reveal())
	if err == nil {
		return nil
	}
	for _, late := range []string{"items in the authenticated safe", "not marked as trusted", "only certificate bags"} {
		if strings.Contains(err.Error(), late) {
			return nil
		}
	}
	return storeError(err, password)
}

// certificates decrypts every certificate of the store.
func (p *pfxParts) certificates(password Password) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for _, safe := range p.encrypted {
		some, err := decodeCertificates(password, plainSafe(placeholder().key), safe)
		if err != nil {
			return nil, err
		}
		certs = append(certs, some...)
	}
	if len(p.certs) > 0 {
		some, err := decodeCertificates(password, plainSafe(append([][]byte{placeholder().key}, p.certs...)...))
		if err != nil {
			return nil, err
		}
		certs = append(certs, some...)
	}
	return certs, nil
}

// decodeCertificates hands the library a store of the given safes, which hold certificates and one key of no meaning: it insists on
// having one. That one comes first: a key hidden among encrypted certificates is then the second, which the library refuses before it
// derives anything, for as many rounds as it says.
func decodeCertificates(password Password, safes ...[]byte) ([]*x509.Certificate, error) {
	_, first, others, err := pkcs12.DecodeChain(sealPFX(password, safes...), password.Reveal())
	if err != nil {
		return nil, storeError(err, password)
	}
	return append([]*x509.Certificate{first}, others...), nil
}

// decrypt opens the key in the bag.
func (b keyBag) decrypt(password Password) (any, error) {
	if !bytes.Equal(b.kind, oidShroudedKeyBag) {
		return decryptKeyBag(b.kind, b.value, password)
	}
	cost, err := workOf(b.value)
	if err != nil {
		return nil, err
	}
	if cost > workCap {
		return nil, errWork
	}
	return decryptKeyBag(b.kind, b.value, password)
}

// decryptKeyBag hands the library a store with this key and a certificate of no meaning.
func decryptKeyBag(kind, value []byte, password Password) (any, error) {
	if len(value) > keyCap {
		return nil, fmt.Errorf("%w: a private key of more than %d KiB", ErrMalformed, keyCap>>10)
	}
	bag := sequence(kind, explicit(value))
	key, _, _, err := pkcs12.DecodeChain(sealPFX(password, plainSafe(bag, placeholder().cert)), password.Reveal())
	if err == nil {
		return key, nil
	}
	text := err.Error()
	if strings.Contains(text, "incorrect padding") || strings.Contains(text, "unmarshaling decrypted") {
		return nil, errKeyPassword
	}
	return nil, fmt.Errorf("%w private key (%s)", ErrUnsupported, strings.TrimPrefix(text, "pkcs12: "))
}

// storeError says in our words what the library found.
func storeError(err error, password Password) error {
	text := strings.TrimPrefix(err.Error(), "pkcs12: ")
	var unknown pkcs12.NotImplementedError
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && password.IsZero():
		return fmt.Errorf("%w: the key store has one and none was given", ErrPassword)
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return fmt.Errorf("%w for the key store, or it is damaged", ErrPassword)
	case errors.As(err, &unknown), strings.Contains(text, "UCS-2"), strings.Contains(text, "exactly one key bag"):
		return fmt.Errorf("%w PKCS#12 store (%s); convert it with: keytool -importkeystore -srckeystore FILE -destkeystore FILE.new -deststoretype PKCS12", ErrUnsupported, text)
	case text == "certificate missing":
		return fmt.Errorf("%w in the key store", ErrNoCertificate)
	}
	return fmt.Errorf("%w PKCS#12 store: %s", ErrMalformed, text)
}
