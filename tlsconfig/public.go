package tlsconfig

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// publicIssuers are organisations that certify strangers, as they name themselves in CA certificates. They stand beside the
// system's roots because small images have none, and because roots are reissued and retired while heads keep their certificates.
var publicIssuers = []string{
	"actalis", "amazon", "baltimore", "buypass", "certum", "asseco", "comodo", "digicert", "entrust", "geotrust", "globalsign", "godaddy",
	"google trust services", "harica", "hellenic academic", "identrust", "incommon", "internet security research group", "internet2",
	"let's encrypt", "microsoft corporation", "network solutions", "quovadis", "rapidssl", "sectigo", "ssl corporation", "starfield",
	"starfieldtech", "swisssign", "symantec", "terena", "geant", "géant", "thawte", "trustwave", "securetrust", "usertrust", "verisign", "verizon", "zerossl",
}

// refusePublic returns ErrPublicCA where one of certs is a public root or leads to one: its holders would all be heads.
func refusePublic(certs []*x509.Certificate, public *x509.CertPool, now time.Time) error {
	for _, cert := range certs {
		if !isPublic(cert, certs, public, now) {
			continue
		}
		return fmt.Errorf("%w: %s, issued by %q, certifies anyone who asks; give the server names to accept instead, such as *.example.net",
			ErrPublicCA, describe(cert), cert.Issuer.String())
	}
	return nil
}

func isPublic(cert *x509.Certificate, others []*x509.Certificate, public *x509.CertPool, now time.Time) bool {
	for _, org := range append(slices.Clone(cert.Subject.Organization), cert.Issuer.Organization...) {
		if slices.ContainsFunc(publicIssuers, func(p string) bool { return startsWithWord(strings.ToLower(org), p) }) {
			return true
		}
	}
	if public == nil {
		return false
	}
	if selfIssued(cert) && slices.ContainsFunc(subjects(public), func(s []byte) bool { return bytes.Equal(s, cert.RawSubject) }) {
		return true // another issue of a public root
	}
	options := x509.VerifyOptions{Roots: public, Intermediates: poolOf(others), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, options.CurrentTime = range []time.Time{now, cert.NotBefore.Add(time.Second), cert.NotAfter.Add(-time.Second)} {
		if _, err := cert.Verify(options); err == nil {
			return true
		}
	}
	return false
}

func startsWithWord(s, word string) bool {
	rest, ok := strings.CutPrefix(s, word)
	return ok && (rest == "" || !(rest[0] >= 'a' && rest[0] <= 'z' || rest[0] >= '0' && rest[0] <= '9'))
}

// subjects lists the names in a pool. The method is deprecated because it may miss the system's roots on some platforms; here it
// only adds to what verification finds.
//
//lint:ignore SA1019 see above
func subjects(pool *x509.CertPool) [][]byte { return pool.Subjects() }

func poolOf(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range certs {
		pool.AddCert(cert)
	}
	return pool
}
