package doctor

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// judgeTLS says what came of the handshake, which err may be about. It returns false where trust failed.
func (v *visit) judgeTLS(err error) bool {
	s := v.seen.look()
	if s.state == nil {
		v.noHandshake(err)
		return false
	}
	leaf := s.state.PeerCertificates[0]
	switch {
	case s.refused != nil:
		says, doThis := explain(s.refused)
		v.add(stepTLS, Problem, says, doThis)
		v.certificate(s)
		return false
	case isAlert(err):
		v.add(stepTLS, Problem, "the head ended the connection over our certificate: "+alert(err), v.mendOurs(s))
		v.certificate(s)
		return false
	case v.trust.live == nil:
		v.add(stepTLS, Warning, tls.VersionName(s.state.Version)+"; the head is not verified, for want of a CA", "name its CA with --cacert")
	case v.trust.names.Insecure:
		v.add(stepTLS, Warning, tls.VersionName(s.state.Version)+"; the head is not verified, as --insecure says",
			"leave --insecure away and name the CA with --cacert")
	default:
		v.add(stepTLS, OK, fmt.Sprintf("%s; trusted: %s", tls.VersionName(s.state.Version), v.passed(leaf)), "")
	}
	v.certificate(s)
	v.ours(s)
	return true
}

// passed says which rule accepted the names of the head's certificate.
func (v *visit) passed(leaf *x509.Certificate) string {
	address := hostPort(v.head)
	host, _, _ := net.SplitHostPort(address)
	accepted, ok := v.trust.names.Accept[address]
	if !ok {
		accepted = v.trust.names.Accept[""]
	}
	switch {
	case leaf.VerifyHostname(host) == nil:
		return "its certificate names " + host
	case v.trust.names.Any:
		return "it has a certificate of the CA, and any name will do"
	}
	return "its certificate has a name accepted by --server-name (" + listed(accepted) + ")"
}

// certificate says what the head showed: the chain up to its root, names, and until when.
func (v *visit) certificate(s seen) {
	var chain []string
	ends := s.state.PeerCertificates[0].NotAfter
	for _, c := range s.state.PeerCertificates {
		chain = append(chain, fmt.Sprintf("%q", c.Subject.String()))
		if c.NotAfter.Before(ends) {
			ends = c.NotAfter
		}
	}
	last := s.state.PeerCertificates[len(s.state.PeerCertificates)-1]
	if !bytes.Equal(last.RawIssuer, last.RawSubject) {
		chain = append(chain, fmt.Sprintf("%q", last.Issuer.String()))
	}
	leaf := s.state.PeerCertificates[0]
	says := fmt.Sprintf("%s; for %s; %s", strings.Join(chain, ", issued by "), names(leaf), validity(leaf.NotBefore, ends))
	const soon = 30 * 24 * time.Hour
	if time.Until(ends) < soon {
		v.add("certificate", Warning, says, "have the certificate of the head renewed")
		return
	}
	v.add("certificate", OK, says, "")
}

// names lists what a certificate is for.
func names(cert *x509.Certificate) string {
	all := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no host"
	}
	return listed(all)
}

// ours says what the head made of our certificate.
func (v *visit) ours(s seen) {
	const step = "our certificate"
	from := "any CA"
	if len(s.wanted) > 0 {
		from = listed(s.wanted)
	}
	switch {
	case !s.asked:
		v.add(step, OK, "the head asks for none", "")
	case s.sent == nil && v.trust.named():
		v.add(step, Warning, "the head asks for one; ours was not tried, since the configuration above does not hold", "mend that first")
	case s.sent == nil:
		v.add(step, Warning, "the head asks for one, and we have none: it may refuse to create and remove entries",
			"give --keystore, or --cert and --key, unless only reading is meant")
	case len(s.wanted) > 0 && !slices.Contains(s.wanted, fmt.Sprintf("%q", s.sent.Issuer.String())):
		v.add(step, Warning, fmt.Sprintf("%q, issued by %q; the head names other CAs: %s", s.sent.Subject, s.sent.Issuer, from),
			"if it refuses to create and remove entries, have it trust our CA")
	default:
		v.add(step, OK, fmt.Sprintf("%q is sent; the head asks for one from %s", s.sent.Subject, from), "")
	}
}

// mendOurs says what to do about a head that refuses our certificate.
func (v *visit) mendOurs(s seen) string {
	if s.sent == nil && v.trust.named() {
		return "mend the configuration above: the head wants a certificate, and ours was not tried"
	}
	if s.sent == nil {
		return "give the certificate that the head wants, with --keystore or with --cert and --key"
	}
	doThis := fmt.Sprintf("have the head trust %q, which issued our %q (%s), or use a certificate that it trusts", s.sent.Issuer, s.sent.Subject,
		validity(s.sent.NotBefore, s.sent.NotAfter))
	if len(s.wanted) > 0 {
		doThis += ": one from " + listed(s.wanted)
	}
	return doThis
}

// explain says why we do not trust a head, and what to do about it.
func explain(refused error) (says, doThis string) {
	if e, ok := errors.AsType[*tlsconfig.ValidityError](refused); ok {
		when := validity(e.Certificate.NotBefore, e.Certificate.NotAfter)
		return fmt.Sprintf("certificate %q %s by our clock, which says %s", e.Certificate.Subject, when, date(e.Now)),
			"have the certificate of the head renewed; if it should be valid, set the clock of this machine"
	}
	if e, ok := errors.AsType[*tlsconfig.SignatureError](refused); ok {
		return fmt.Sprintf("certificate %q was issued by the right CA, %q, but with a signature that proves nothing any more (%s)",
				e.Certificate.Subject, e.Certificate.Issuer, cause(e.Err)),
			"have it issued anew, signed with SHA-256; the CA here is the right one and stays"
	}
	if e, ok := errors.AsType[*tlsconfig.AuthorityError](refused); ok {
		return explainAuthority(e)
	}
	if e, ok := errors.AsType[*tlsconfig.NameError](refused); ok {
		return explainName(e)
	}
	if e, ok := errors.AsType[*tlsconfig.UsageError](refused); ok {
		return fmt.Sprintf("certificate %q is not one for a server", e.Certificate.Subject), "have one issued for server authentication"
	}
	return reason(refused), "have another certificate issued for the head"
}

// explainAuthority tells a CA that is not known from one of the same name, and from one that must not issue this certificate.
func explainAuthority(e *tlsconfig.AuthorityError) (says, doThis string) {
	c := e.Certificate
	if e.Namesake != nil && e.Namesake.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
		return fmt.Sprintf("certificate %q was issued by the right CA, %q, which must not issue it (%s)", c.Subject, c.Issuer, cause(e.Err)),
			"have it issued anew by a CA that may"
	}
	says = fmt.Sprintf("unknown authority: certificate %q was issued by %q, which does not lead to a CA in %s (%s)", c.Subject, c.Issuer, e.CA, cause(e.Err))
	if e.Namesake != nil {
		says += "; there is a CA of that name in it, with another key"
	}
	return says, "name the CA that issued it with --cacert, if that is the head; whoever runs it has the file"
}

// cause is what crypto/x509 said.
func cause(err error) string { return strings.TrimPrefix(err.Error(), "x509: ") }

func explainName(e *tlsconfig.NameError) (says, doThis string) {
	if len(e.Names) == 0 {
		return fmt.Sprintf("its certificate (common name %q) names no host, %s was expected", e.CN, listed(e.Accepted)),
			"have one issued with subject alternative names; or accept any name under a CA of your own with --any-server-name"
	}
	return fmt.Sprintf("its certificate is for %s, not for %s", listed(e.Names), listed(e.Accepted)),
		fmt.Sprintf("if that is the head, accept it with --server-name %s=%s; or any name under a CA of your own with --any-server-name",
			e.Head, e.Names[0])
}

// noHandshake is about a head that did not come to show a certificate.
func (v *visit) noHandshake(err error) {
	_, garbled := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case garbled || errors.Is(err, http.ErrSchemeMismatch):
		v.add(stepHandshake, Problem, "what answers does not speak TLS", "see that the port is the head's; a head without TLS is named with http://")
	case isAlert(err):
		v.add(stepTLS, Problem, "the head refused the handshake: "+alert(err), "see that the head speaks TLS 1.2 or later and has a certificate")
	case err != nil && isTimeout(err):
		v.add(stepHandshake, Problem, "the head takes connections and does not answer the TLS handshake in time", "look into its log, and start it again")
	case err != nil:
		v.add(stepHandshake, Problem, "no TLS handshake: "+reason(err), "see that the port is the head's, and look into its log")
	default:
		v.add(stepHandshake, Problem, "no TLS handshake was seen", "examine it again")
	}
}

// isAlert reports whether the other side ended the connection with a TLS alert. With TLS 1.3 the one about our certificate comes
// after the handshake, in place of an answer.
func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

func alert(err error) string {
	op, _ := errors.AsType[*net.OpError](err)
	return op.Err.Error()
}
