package tlsconfig

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status is what a Live has in use, for people and for doctor. There are no secrets in it.
type Status struct {
	Files    []FileStatus `json:"files"`
	NameRule string       `json:"nameRule"`           // which names of heads are accepted, in words
	Insecure bool         `json:"insecure"`           // heads are not verified at all
	Warnings []string     `json:"warnings,omitempty"` // what is not as it should be; each ends with a colon and what to do about it
	Read     time.Time    `json:"read"`               // when what is in use was read
	Error    string       `json:"error,omitempty"`    // why newer files are not in use
}

// FileStatus is one file in use.
type FileStatus struct {
	Role         string              `json:"role"` // "CA" or "identity"
	Path         string              `json:"path"`
	Form         string              `json:"form"` // as told from the content
	Certificates []CertificateStatus `json:"certificates"`
}

// CertificateStatus is one certificate. Of an identity the first is its own, those after it are the chain.
type CertificateStatus struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names,omitempty"` // hosts and addresses it is for
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Key       string    `json:"key"`       // algorithm and size
	Signature string    `json:"signature"` // algorithm
	SHA256    string    `json:"sha256"`    // fingerprint, hex
}

// Status tells what is in use at this moment.
func (l *Live) Status() Status {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.current()
	s := Status{
		Files:    slices.Clone(m.files),
		NameRule: l.names.describe(),
		Insecure: l.names.Insecure,
		Warnings: append(slices.Clone(m.warnings), m.expiryWarnings(now)...),
		Read:     l.read,
	}
	if l.names.Insecure {
		s.Warnings = append(s.Warnings, "certificates of heads are not verified: name their CA")
	}
	if l.broken != nil {
		s.Error = l.broken.Error()
	}
	return s
}

func (n Names) describe() string {
	switch {
	case n.Insecure:
		return "heads are not verified"
	case n.Any:
		return "any name under the CA"
	case len(n.Accept) == 0:
		return "the host that is dialled"
	}
	var rules []string
	for head, names := range n.Accept {
		if head == "" {
			head = "any head"
		}
		rules = append(rules, fmt.Sprintf("%s: %s", head, strings.Join(names, ", ")))
	}
	slices.Sort(rules)
	return "the host that is dialled, or " + strings.Join(rules, "; ")
}

func fileStatus(role, path string, f form, certs []*x509.Certificate) FileStatus {
	s := FileStatus{Role: role, Path: path, Form: string(f)}
	for _, cert := range certs {
		sum := sha256.Sum256(cert.Raw)
		s.Certificates = append(s.Certificates, CertificateStatus{
			Subject:   cert.Subject.String(),
			Issuer:    cert.Issuer.String(),
			Names:     namesOf(cert),
			NotBefore: cert.NotBefore,
			NotAfter:  cert.NotAfter,
			Key:       keyKind(cert),
			Signature: cert.SignatureAlgorithm.String(),
			SHA256:    hex.EncodeToString(sum[:]),
		})
	}
	return s
}

func keyKind(cert *x509.Certificate) string {
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return cert.PublicKeyAlgorithm.String()
}
