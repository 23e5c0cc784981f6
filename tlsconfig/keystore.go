package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// keyStore is an opened JKS or PKCS#12 file. Private keys stay encrypted until one is chosen.
type keyStore struct {
	keys    []keyEntry
	trusted func() ([]*x509.Certificate, error)
}

// keyEntry is one private key of a store.
type keyEntry struct {
	alias   string
	decrypt func(Password) (any, error)
	certs   func() ([]*x509.Certificate, error) // those that may belong to the key
}

// ParseKeyStore returns the identity in a JKS or PKCS#12 key store. The alias, in any case, chooses among several private
// keys; "" takes the only one. The zero key password stands for the password of the store. Errors: ErrPassword, ErrNoKey,
// ErrAlias, ErrNoCertificate, ErrMismatch, ErrMalformed, ErrUnsupported.
//
// Of several certificates for the key it takes one that is valid now, and then the one issued last.
func ParseKeyStore(data []byte, alias string, store, key Password) (tls.Certificate, error) {
	return parseKeyStore(data, alias, store, key, time.Now())
}

func parseKeyStore(data []byte, alias string, store, key Password, now time.Time) (identity tls.Certificate, err error) {
	defer guard(&err)
	if err := checkSize(data); err != nil {
		return tls.Certificate{}, err
	}
	opened, err := openStore(data, formOf(data), store)
	if err != nil {
		return tls.Certificate{}, err
	}
	entry, err := opened.choose(alias)
	if err != nil {
		return tls.Certificate{}, err
	}
	return entry.identity(store, key, now)
}

// openStore opens a key store of form f.
func openStore(data []byte, f form, password Password) (*keyStore, error) {
	switch f {
	case formJKS:
		return openJKS(data, password)
	case formPKCS12:
		return openPKCS12(data, password)
	}
	return nil, refuse(f, "a JKS or PKCS#12 key store")
}

// choose finds the private key meant by alias. Java ignores the case of aliases, so a name in another case is found too.
func (s *keyStore) choose(alias string) (keyEntry, error) {
	if len(s.keys) == 0 {
		return keyEntry{}, fmt.Errorf("%w in it, only trusted certificates: this is a trust store; name the key store of the certificate's owner", ErrNoKey)
	}
	if alias == "" {
		if len(s.keys) > 1 {
			return keyEntry{}, fmt.Errorf("%w in it: choose one by its alias: %s", ErrAlias, s.aliases())
		}
		return s.keys[0], nil
	}
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for _, entry := range s.keys {
			if same(entry.alias, alias) {
				return entry, nil
			}
		}
	}
	return keyEntry{}, fmt.Errorf("%w under the alias %q; there are: %s", ErrNoKey, alias, s.aliases())
}

func (s *keyStore) aliases() string {
	var names []string
	for _, entry := range s.keys {
		names = append(names, fmt.Sprintf("%.60q", entry.alias))
	}
	return listed(names)
}

// identity opens the key, with its own password or else with the store's: keytool gives PKCS#12 keys the store's even when told
// another.
func (e keyEntry) identity(store, own Password, now time.Time) (tls.Certificate, error) {
	certs, err := e.certs()
	if err != nil {
		return tls.Certificate{}, err
	}
	if own.IsZero() {
		own = store
	}
	key, err := e.decrypt(own)
	if errors.Is(err, ErrPassword) && own != store {
		key, err = e.decrypt(store)
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("alias %q: %w", e.alias, err)
	}
	identity, err := assemble(key, certs, now)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("alias %q: %w", e.alias, err)
	}
	return identity, nil
}
