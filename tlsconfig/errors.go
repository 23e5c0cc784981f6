package tlsconfig

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// What can be wrong with a file, for errors.Is. The full text names the file and says what to do.
var (
	// ErrPassword: the password does not open the file or the key in it.
	ErrPassword = errors.New("wrong password")
	// ErrNoKey: there is no private key, or none under the alias asked for.
	ErrNoKey = errors.New("no private key")
	// ErrNoCertificate: there is no certificate where one is needed.
	ErrNoCertificate = errors.New("no certificate")
	// ErrMismatch: no certificate in the file belongs to the private key.
	ErrMismatch = errors.New("private key and certificate do not belong together")
	// ErrAlias: there are several private keys and none was chosen.
	ErrAlias = errors.New("several private keys")
	// ErrUnsupported: a form or an algorithm that is not read; the text names one that is.
	ErrUnsupported = errors.New("unsupported")
	// ErrMalformed: the content contradicts itself, is cut short, or is larger than anything sensible.
	ErrMalformed = errors.New("malformed")
	// ErrNoCA: Open was given nothing to trust.
	ErrNoCA = errors.New("no CA")
	// ErrPublicCA: any name was to be accepted under a CA that certifies strangers.
	ErrPublicCA = errors.New("any server name refused under a public CA")
)

// ValidityError says that a certificate is used outside its validity period.
type ValidityError struct {
	Certificate *x509.Certificate
	Now         time.Time // the clock it was compared with
}

func (e *ValidityError) Error() string {
	name := describe(e.Certificate)
	if e.Now.Before(e.Certificate.NotBefore) {
		return fmt.Sprintf("certificate %s is not valid before %s, and the clock says %s: set the clock or wait",
			name, stamp(e.Certificate.NotBefore), stamp(e.Now))
	}
	return fmt.Sprintf("certificate %s expired %s, and the clock says %s: renew it", name, stamp(e.Certificate.NotAfter), stamp(e.Now))
}

// checkValidity returns a *ValidityError outside the period of cert.
func checkValidity(cert *x509.Certificate, now time.Time) error {
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return &ValidityError{Certificate: cert, Now: now}
	}
	return nil
}

// AuthorityError says that a certificate does not lead to one of the CAs trusted here.
type AuthorityError struct {
	Certificate *x509.Certificate
	CA          string            // the CA file that was looked in; empty where the CAs did not come from a file
	Namesake    *x509.Certificate // a CA trusted here that bears the name of the issuer, though it is another or must not issue this; or nil
	Err         error             // what crypto/x509 said
}

func (e *AuthorityError) Error() string {
	where := "the trusted CAs"
	if e.CA != "" {
		where = e.CA
	}
	return fmt.Sprintf("certificate %s was issued by %q, which does not lead to a CA in %s: name the CA that issued it (%s)",
		describe(e.Certificate), e.Certificate.Issuer.String(), where, plain(e.Err))
}

// Unwrap returns what crypto/x509 said.
func (e *AuthorityError) Unwrap() error { return e.Err }

// SignatureError says that a certificate was issued by the right CA, but is signed with an algorithm that proves nothing any more.
type SignatureError struct {
	Certificate *x509.Certificate // the one so signed: that of the other side, or of a CA on the way from it
	Err         error             // an x509.InsecureAlgorithmError
}

func (e *SignatureError) Error() string {
	return fmt.Sprintf("certificate %s was issued by the right CA, %q, but with a signature that proves nothing any more: have it issued anew with SHA-256 (%s)",
		describe(e.Certificate), e.Certificate.Issuer.String(), plain(e.Err))
}

// Unwrap returns the x509.InsecureAlgorithmError.
func (e *SignatureError) Unwrap() error { return e.Err }

// NameError says that the certificate of a head names other hosts than those accepted for it.
type NameError struct {
	Head     string   // as it was dialled, HOST:PORT
	Names    []string // the hosts and addresses the certificate names
	Accepted []string // the names that would have been accepted
	CN       string   // the common name, which counts only where Names is empty, and then only as an explanation
}

func (e *NameError) Error() string {
	accepted := strings.Join(e.Accepted, ", ")
	if len(e.Names) == 0 {
		return fmt.Sprintf("head %s: its certificate (common name %q) names no host, %s was expected: have it issued with subject alternative names, "+
			"or accept any name under a CA of your own", e.Head, e.CN, accepted)
	}
	return fmt.Sprintf("head %s: its certificate is for %s, not for %s: if that is the head, accept it with the server name %s=%s",
		e.Head, listed(e.Names), accepted, e.Head, e.Names[0])
}

// UsageError says that a certificate was not made for this side of a connection.
type UsageError struct {
	Certificate *x509.Certificate
	Wanted      string // "server" or "client"
	Err         error
}

func (e *UsageError) Error() string {
	return fmt.Sprintf("certificate %s, or a CA above it, is not for %s authentication: have one issued with that extended key usage",
		describe(e.Certificate), e.Wanted)
}

// Unwrap returns what crypto/x509 said.
func (e *UsageError) Unwrap() error { return e.Err }

// describe names a certificate in an error.
func describe(cert *x509.Certificate) string {
	if s := cert.Subject.String(); s != "" {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q (no subject)", "serial "+cert.SerialNumber.String())
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// listed joins names, at most twenty: an error stays one line.
func listed(names []string) string {
	const most = 20
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
