package tlsconfig

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// material is everything one reading of the files gave. It does not change.
type material struct {
	anchors  anchors
	identity *tls.Certificate // nil: none
	stored   bool             // the identity is from the key store
	mark     []byte           // of session tickets
	digest   [sha256.Size]byte
	files    []FileStatus
	warnings []string
}

// loader turns readings into material.
type loader struct {
	files  Files
	names  Names
	public *x509.CertPool
}

// load reads everything. What was in use before, nil at first, tells which files must be there still.
func (ld loader) load(files reading, before *material, now time.Time) (*material, error) {
	m := &material{mark: newMark(), digest: files.digest(ld.files.paths())}
	if err := ld.loadCA(m, files, now); err != nil {
		return nil, err
	}
	if err := ld.loadIdentity(m, files, before != nil && before.stored, now); err != nil {
		return nil, err
	}
	return m, nil
}

func (ld loader) loadCA(m *material, files reading, now time.Time) error {
	path := ld.files.CA
	if path == "" && ld.files.CAText == "" {
		m.anchors = anchorsOf(nil, "")
		if ld.names.Insecure {
			return nil
		}
		if ld.names.Any {
			return fmt.Errorf("%w: any name is accepted only under a CA of your own, never under those of the system: name its file", ErrNoCA)
		}
		return fmt.Errorf("%w: name the file of the CA that issued the certificates of the heads (DER, PEM, JKS or PKCS#12)", ErrNoCA)
	}
	data, err := ld.ca(files)
	if err != nil {
		return fmt.Errorf("CA: %w", err)
	}
	certs, f, err := guarded(func() ([]*x509.Certificate, form, error) { return parseCA(data, ld.files.CAPassword) })
	if err != nil {
		return fmt.Errorf("CA %s: %w", path, err)
	}
	if err := oneValid(certs, now); err != nil {
		return fmt.Errorf("CA %s: %w", path, err)
	}
	if ld.names.Any && !ld.names.Insecure {
		if err := refusePublic(certs, ld.public, now); err != nil {
			return fmt.Errorf("CA %s: %w", path, err)
		}
	}
	m.anchors = anchorsOf(certs, path)
	m.files = append(m.files, fileStatus(roleCA, path, f, certs))
	m.warnOfWeak("CA "+path, certs)
	for _, cert := range certs {
		if !cert.IsCA && !selfIssued(cert) {
			m.warn("CA %s: certificate %s is not one of a CA, and trusted only where it is shown itself: name the CA that issued it", path, describe(cert))
		}
	}
	return nil
}

func (ld loader) ca(files reading) ([]byte, error) {
	if ld.files.CAText != "" {
		return []byte(ld.files.CAText), nil
	}
	return files.get(ld.files.CA)
}

// oneValid wants at least one certificate in its period: bundles hold old ones.
func oneValid(certs []*x509.Certificate, now time.Time) (err error) {
	for _, cert := range certs {
		if err = checkValidity(cert, now); err == nil {
			return nil
		}
	}
	return err
}

// loadIdentity takes the key store where one is named, and the pair otherwise or where the key store is missing. One that was in use must
// stay: it may be gone for the moment between being removed and put in place anew, and the pair may be somebody else.
func (ld loader) loadIdentity(m *material, files reading, stored bool, now time.Time) error {
	f := ld.files
	usePair := f.hasPair() && (f.KeyStore == "" || files.missing(f.KeyStore) && !stored)
	switch {
	case !f.hasPair() && f.KeyStore == "":
		return nil
	case usePair && f.KeyStore != "":
		cert, _ := f.pair()
		m.warn("key store %s does not exist, and the certificate %s is used instead: name only the one that is there", f.KeyStore, cert)
	}
	open := ld.openStore
	if usePair {
		open = ld.openPair
	}
	identity, status, err := open(files, now)
	if err != nil {
		return err
	}
	if err := checkValidity(identity.Leaf, now); err != nil {
		return fmt.Errorf("%s: %w", status.Path, err)
	}
	m.identity, m.stored = &identity, !usePair
	m.files = append(m.files, status)
	m.warnOfWeak(status.Path, chainIn(identity))
	if f.hasPair() && !usePair {
		ld.comparePair(m, files, now)
	}
	return nil
}

// comparePair warns where the pair, which the key store outranks, is another identity.
func (ld loader) comparePair(m *material, files reading, now time.Time) {
	cert, _ := ld.files.pair()
	other, _, err := ld.openPair(files, now)
	switch {
	case err != nil:
		m.warn("key store %s is used; the certificate beside it cannot be (%v): name only the one that is meant", ld.files.KeyStore, err)
	case !other.Leaf.Equal(m.identity.Leaf):
		m.warn("key store %s (certificate %s) is used, and not the certificate %s (%s), which is another: name only the one that is meant", ld.files.KeyStore,
			describe(m.identity.Leaf), cert, describe(other.Leaf))
	}
}

func (ld loader) openStore(files reading, now time.Time) (tls.Certificate, FileStatus, error) {
	path := ld.files.KeyStore
	data, err := files.get(path)
	if err != nil {
		return tls.Certificate{}, FileStatus{}, fmt.Errorf("key store: %w", err)
	}
	f := formOf(data)
	var identity tls.Certificate
	if f == formPEM {
		identity, err = parseKeyPair(data, data, ld.files.pairPassword(), now)
	} else {
		identity, err = parseKeyStore(data, ld.files.KeyStoreAlias, ld.files.KeyStorePassword, ld.files.KeyPassword, now)
	}
	if err != nil {
		return tls.Certificate{}, FileStatus{}, fmt.Errorf("key store %s: %w", path, err)
	}
	return identity, fileStatus("identity", path, f, chainIn(identity)), nil
}

func (ld loader) openPair(files reading, now time.Time) (tls.Certificate, FileStatus, error) {
	certPath, keyPath := ld.files.pair()
	cert, err := files.get(certPath)
	if err != nil {
		return tls.Certificate{}, FileStatus{}, fmt.Errorf("certificate: %w", err)
	}
	key, err := files.get(keyPath)
	if err != nil {
		return tls.Certificate{}, FileStatus{}, fmt.Errorf("private key: %w", err)
	}
	identity, err := parseKeyPair(cert, key, ld.files.pairPassword(), now)
	switch {
	case err != nil && certPath == keyPath:
		return tls.Certificate{}, FileStatus{}, fmt.Errorf("certificate and key in one file %s: %w", certPath, err)
	case err != nil:
		return tls.Certificate{}, FileStatus{}, fmt.Errorf("certificate %s and key %s: %w", certPath, keyPath, err)
	}
	return identity, fileStatus("identity", certPath, formOf(cert), chainIn(identity)), nil
}

// pairPassword is what opens an encrypted key outside a key store.
func (f Files) pairPassword() Password {
	if f.KeyPassword.IsZero() {
		return f.KeyStorePassword
	}
	return f.KeyPassword
}

func (m *material) warn(format string, args ...any) {
	m.warnings = append(m.warnings, fmt.Sprintf(format, args...))
}

func (m *material) warnOfWeak(where string, certs []*x509.Certificate) {
	for _, cert := range certs {
		if w := weakness(cert); w != "" {
			m.warn("%s: %s", where, w)
		}
	}
}

// chainIn returns the certificates of an identity.
func chainIn(identity tls.Certificate) []*x509.Certificate {
	certs := []*x509.Certificate{identity.Leaf}
	for _, der := range identity.Certificate[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			certs = append(certs, cert)
		}
	}
	return certs
}

func guarded(parse func() ([]*x509.Certificate, form, error)) (certs []*x509.Certificate, f form, err error) {
	defer guard(&err)
	return parse()
}
