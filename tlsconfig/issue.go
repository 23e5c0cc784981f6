package tlsconfig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"time"
)

// skew is how far back new certificates reach, for clocks that are behind.
const skew = time.Hour

// Template says what a certificate to be made is for. The zero values make an identity that neither serves nor calls.
type Template struct {
	CommonName   string
	Organization string
	Hosts        []string      // DNS names and IP addresses
	Server       bool          // for heads
	Client       bool          // for those who call heads
	CA           bool          // may issue others
	NotBefore    time.Time     // default: an hour ago
	NotAfter     time.Time     // default: the end of the issuer, or a year from now where there is none
	Key          crypto.Signer // default: ECDSA P-256, made anew
}

// Authority is a CA of our own making, for development and tests.
type Authority struct {
	identity tls.Certificate
}

// NewAuthority makes a CA whose own certificate is valid from an hour ago for the given time from now.
func NewAuthority(commonName string, validity time.Duration) (*Authority, error) {
	identity, err := SelfSigned(Template{CommonName: commonName, CA: true, NotAfter: time.Now().Add(validity)})
	if err != nil {
		return nil, err
	}
	return AuthorityFrom(identity)
}

// AuthorityFrom makes an Authority of the certificate and key of a CA, which may itself have been issued by another: its
// certificates then come with the chain.
func AuthorityFrom(identity tls.Certificate) (*Authority, error) {
	if identity.Leaf == nil || !identity.Leaf.IsCA {
		return nil, errors.New("the certificate is not one of a CA")
	}
	if _, ok := identity.PrivateKey.(crypto.Signer); !ok {
		return nil, fmt.Errorf("%w for the CA", ErrNoKey)
	}
	return &Authority{identity: identity}, nil
}

// Certificate returns the certificate of the CA, to be trusted.
func (a *Authority) Certificate() *x509.Certificate { return a.identity.Leaf }

// Server issues the identity of a head that is reached under the given DNS names and IP addresses.
func (a *Authority) Server(commonName string, hosts ...string) (tls.Certificate, error) {
	return a.Issue(Template{CommonName: commonName, Hosts: hosts, Server: true})
}

// Client issues the identity of a caller.
func (a *Authority) Client(commonName string) (tls.Certificate, error) {
	return a.Issue(Template{CommonName: commonName, Client: true})
}

// Issue issues a certificate from t.
func (a *Authority) Issue(t Template) (tls.Certificate, error) {
	if t.NotAfter.IsZero() {
		t.NotAfter = a.identity.Leaf.NotAfter
	}
	issued, err := t.issue(a.identity.Leaf, a.identity.PrivateKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	if !selfIssued(a.identity.Leaf) {
		issued.Certificate = append(issued.Certificate, a.identity.Certificate...)
	}
	return issued, nil
}

// SelfSigned makes a certificate from t that is its own issuer.
func SelfSigned(t Template) (tls.Certificate, error) {
	if t.NotAfter.IsZero() {
		t.NotAfter = time.Now().AddDate(1, 0, 0)
	}
	return t.issue(nil, nil)
}

// issue makes the certificate; without a parent it signs itself.
func (t Template) issue(parent *x509.Certificate, parentKey any) (tls.Certificate, error) {
	key := t.Key
	if key == nil {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("make a private key: %w", err)
		}
		key = made
	}
	template := t.x509()
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issue certificate %q: %w", t.CommonName, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issue certificate %q: %w", t.CommonName, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

func (t Template) x509() *x509.Certificate {
	cert := &x509.Certificate{
		Subject:               pkix.Name{CommonName: t.CommonName},
		NotBefore:             t.NotBefore,
		NotAfter:              t.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  t.CA,
	}
	if t.Organization != "" {
		cert.Subject.Organization = []string{t.Organization}
	}
	if cert.NotBefore.IsZero() {
		cert.NotBefore = time.Now().Add(-skew)
	}
	for _, host := range t.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, host)
		}
	}
	if t.CA {
		cert.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	if t.Server {
		cert.ExtKeyUsage = append(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if t.Client {
		cert.ExtKeyUsage = append(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	return cert
}
