package tlsconfig

import (
	"bytes"
	"crypto/x509"
	"fmt"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
)

// openJKS reads a Java key store. Its lengths are checked first (see checkJKS), its digest by the library.
func openJKS(data []byte, password Password) (*keyStore, error) {
	if err := checkJKS(data); err != nil {
		return nil, err
	}
	secret, err := latin1(password)
	if err != nil {
		return nil, err
	}
	jks := keystore.New(keystore.WithCaseExactAliases(), keystore.WithOrderedAliases())
	if err := jks.Load(bytes.NewReader(data), secret); err != nil {
		// After the structural check only the digest over password and content is left to be wrong.
		if password.IsZero() {
			return nil, fmt.Errorf("%w: the key store has one and none was given", ErrPassword)
		}
		return nil, fmt.Errorf("%w for the key store, or it is damaged", ErrPassword)
	}
	store := &keyStore{trusted: func() ([]*x509.Certificate, error) { return trustedJKS(jks) }}
	for _, alias := range jks.Aliases() {
		if jks.IsPrivateKeyEntry(alias) {
			store.keys = append(store.keys, jksEntry(jks, alias))
		}
	}
	return store, nil
}

func jksEntry(jks keystore.KeyStore, alias string) keyEntry {
	return keyEntry{
		alias: alias,
		decrypt: func(password Password) (any, error) {
			secret, err := latin1(password)
			if err != nil {
				return nil, err
			}
			entry, err := jks.GetPrivateKeyEntry(alias, secret)
			if err != nil {
				return nil, fmt.Errorf("%w for the private key (the key store's own password is right); give the key's", ErrPassword)
			}
			return parseKey(entry.PrivateKey)
		},
		certs: func() ([]*x509.Certificate, error) {
			chain, err := jks.GetPrivateKeyEntryCertificateChain(alias)
			if err != nil {
				return nil, fmt.Errorf("alias %q: %w", alias, err)
			}
			return javaCertificates(alias, chain)
		},
	}
}

func trustedJKS(jks keystore.KeyStore) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for _, alias := range jks.Aliases() {
		if !jks.IsTrustedCertificateEntry(alias) {
			continue
		}
		entry, err := jks.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, fmt.Errorf("alias %q: %w", alias, err)
		}
		some, err := javaCertificates(alias, []keystore.Certificate{entry.Certificate})
		if err != nil {
			return nil, err
		}
		certs = append(certs, some...)
	}
	return certs, nil
}

func javaCertificates(alias string, chain []keystore.Certificate) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for i, c := range chain {
		cert, err := x509.ParseCertificate(c.Content)
		if err != nil {
			return nil, fmt.Errorf("%w certificate number %d of alias %.60q: %s", ErrMalformed, i+1, alias, plain(err))
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// latin1 returns the bytes keystore-go wants: it widens each to the 16 bits of a Java char, so a character above U+00FF has
// no place.
func latin1(password Password) ([]byte, error) {
	var secret []byte
	for _, r := range password.Reveal() {
		if r > 0xff {
			return nil, fmt.Errorf("%w: a JKS password with characters beyond Latin-1; change it with keytool, or convert the store to PKCS#12", ErrUnsupported)
		}
		secret = append(secret, byte(r))
	}
	return secret, nil
}
