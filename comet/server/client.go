package server

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// nobody stands in logs, and as an owner, for who shows no certificate.
const nobody = "-"

// longestSubject is in bytes.
const longestSubject = 1024

// Subject is how a head calls who shows this certificate: its subject as RFC 4514 writes it, such as "CN=controller,O=Site". Where
// that is empty, very long or not printable it is "sha256:" and the digest of the subject and the public key.
func Subject(c *x509.Certificate) string {
	var names pkix.RDNSequence
	if rest, err := asn1.Unmarshal(c.RawSubject, &names); err == nil && len(rest) == 0 && len(names) > 0 {
		if s := names.String(); len(s) <= longestSubject && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) {
			return s
		}
	}
	sum := sha256.Sum256(slices.Concat(c.RawSubject, c.RawSubjectPublicKeyInfo))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// subject is who asks, nobody where no certificate was shown.
func (v *visit) subject() string {
	if v.TLS == nil || len(v.TLS.PeerCertificates) == 0 {
		return nobody
	}
	p, ok := v.Context().Value(peerKey{}).(*peer)
	if !ok {
		return Subject(v.TLS.PeerCertificates[0])
	}
	p.once.Do(func() { p.subject = Subject(v.TLS.PeerCertificates[0]) })
	return p.subject
}

// mayCreate reports whether the client may create and delete.
func (h *Head) mayCreate(v *visit) bool {
	return h.open || h.trusted(v) && (h.creators == nil || slices.Contains(h.creators, v.subject()))
}

// owner is who asks, where entries have owners.
func (h *Head) owner(v *visit) string {
	if !h.owners {
		return ""
	}
	return v.subject()
}

// clients are whom limits count for: the subject of a certificate that is trusted, else the tokens that the request came with, each
// of them a client, since who has one could put made-up ones beside it; else its address. Tokens of a batch stand in its body, which is
// read only after the limits, so it counts for the address.
func (h *Head) clients(v *visit) []string {
	if h.trusted(v) {
		return []string{"subject " + v.subject()}
	}
	var clients []string
	for _, token := range v.readTokens() {
		sum := sha256.Sum256(append(h.salt[:], token...))
		if client := "token " + string(sum[:]); !slices.Contains(clients, client) {
			clients = append(clients, client)
		}
	}
	if clients == nil {
		return []string{"address " + network(v.RemoteAddr)}
	}
	return clients
}

// readTokens are the read tokens as they came, whatever they are worth; of more than a watch may have only the first ones.
func (v *visit) readTokens() (tokens []string) {
	lines := strings.Join(v.Header[headerRead], ",")
	for _, text := range strings.SplitN(lines, ",", maxReadTokens+1) {
		if token, err := url.PathUnescape(strings.TrimSpace(text)); err == nil && token != "" && len(tokens) < maxReadTokens {
			tokens = append(tokens, token)
		}
	}
	if tokens == nil {
		if token := v.URL.Query().Get(paramRead); token != "" {
			return []string{token}
		}
	}
	return tokens
}

// network is the address without the port; of IPv6 the part that one client has for itself.
func network(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return hostport
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if addr = addr.Unmap(); addr.Is6() {
		if prefix, err := addr.WithZone("").Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}
