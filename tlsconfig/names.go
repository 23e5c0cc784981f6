package tlsconfig

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
)

// Names says which names in the certificate of a head are accepted. The zero Names accepts the host that is dialled, and
// nothing else; that host is accepted under the other rules as well.
type Names struct {
	// Any accepts every name under the CA. Open refuses it where the CA certifies strangers (ErrPublicCA), and where none is named (ErrNoCA).
	Any bool
	// Accept lists further names by "HOST:PORT" of a head; those under "" hold for every head that has no list of its own. A
	// name is a host, an address, or a pattern: *.example.net is met by a certificate that names exactly that, or a host
	// directly below example.net.
	Accept map[string][]string
	// Insecure switches the verification of heads off altogether. Open warns about it each time, and Status shows it.
	Insecure bool
}

// ParseNames reads what people write: each item is NAME, for every head, or HOST:PORT=NAME. An error names the item.
func ParseNames(list []string) (map[string][]string, error) {
	accept := map[string][]string{}
	for _, item := range list {
		head, name, found := strings.Cut(item, "=")
		if !found {
			head, name = "", item
		}
		if err := addName(accept, strings.TrimSpace(head), strings.TrimSpace(name), found); err != nil {
			return nil, fmt.Errorf("server name %q: %w", item, err)
		}
	}
	return accept, nil
}

func addName(accept map[string][]string, head, name string, headed bool) error {
	if headed {
		head = normalHead(head)
		host, port, err := net.SplitHostPort(head)
		if err != nil || port == "" || net.ParseIP(host) == nil && !validHost(host) {
			return fmt.Errorf("before the = stands no HOST:PORT")
		}
	}
	name, err := normalName(name)
	if err != nil {
		return err
	}
	if !slices.Contains(accept[head], name) {
		accept[head] = append(accept[head], name)
	}
	return nil
}

// normalised returns names with heads and names in one spelling, so that looking up is a matter of equality.
func (n Names) normalised() (Names, error) {
	accept := map[string][]string{}
	for head, names := range n.Accept {
		for _, name := range names {
			if err := addName(accept, head, name, head != ""); err != nil {
				return n, fmt.Errorf("server name %q for head %q: %w", name, head, err)
			}
		}
	}
	n.Accept = accept
	return n, nil
}

// normalHead spells HOST:PORT in one way.
func normalHead(hostport string) string {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return strings.ToLower(hostport)
	}
	if ip := net.ParseIP(host); ip != nil {
		host = ip.String()
	}
	return net.JoinHostPort(strings.TrimSuffix(strings.ToLower(host), "."), port)
}

// normalName checks and spells a name to accept.
func normalName(name string) (string, error) {
	if ip := net.ParseIP(strings.Trim(name, "[]")); ip != nil {
		return ip.String(), nil
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	host, pattern := strings.CutPrefix(name, "*.")
	if !validHost(host) {
		return "", fmt.Errorf("not a host name, an address, or a pattern such as *.example.net")
	}
	if pattern && !strings.Contains(host, ".") {
		return "", fmt.Errorf("the pattern is too wide: two labels or more belong behind the star")
	}
	return name, nil
}

func validHost(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if !validLabel(label) {
			return false
		}
	}
	return true
}

func validLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return strings.IndexFunc(label, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) < 0
}

// accepted returns what the certificate of head may name: its own host, and the list for it or else for every head.
func (n Names) accepted(head string) []string {
	host, _, err := net.SplitHostPort(head)
	if err != nil {
		host = head
	}
	more, ok := n.Accept[head]
	if !ok {
		more = n.Accept[""]
	}
	return append([]string{host}, more...)
}

// serverName is the name to ask a head for (SNI): a name stated for it, else its host. Patterns ask for nothing, nor do
// addresses, which crypto/tls leaves out.
func (n Names) serverName(head string) string {
	accepted := n.accepted(head)
	for _, name := range append(accepted[1:], accepted[0]) {
		if !strings.HasPrefix(name, "*.") && net.ParseIP(name) == nil {
			return name
		}
	}
	return accepted[0]
}

// check holds the certificate of head against the rule.
func (n Names) check(leaf *x509.Certificate, head string) error {
	if n.Any {
		return nil
	}
	accepted := n.accepted(head)
	if slices.ContainsFunc(accepted, func(name string) bool { return matches(leaf, name) }) {
		return nil
	}
	return &NameError{Head: head, Names: namesOf(leaf), Accepted: accepted, CN: leaf.Subject.CommonName}
}

// matches tells whether the certificate is for name, which may be a pattern.
func matches(leaf *x509.Certificate, name string) bool {
	below, pattern := strings.CutPrefix(name, "*")
	if !pattern {
		return leaf.VerifyHostname(name) == nil
	}
	return slices.ContainsFunc(leaf.DNSNames, func(san string) bool {
		first, ok := strings.CutSuffix(strings.TrimSuffix(strings.ToLower(san), "."), below)
		return ok && first != "" && !strings.Contains(first, ".")
	})
}

// namesOf lists the hosts and addresses a certificate is for.
func namesOf(cert *x509.Certificate) []string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}
