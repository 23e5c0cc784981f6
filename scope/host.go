package scope

import (
	"net/netip"
	"strings"
)

// Host is an element of the families hosts+group: the name of a VM and, once the VM has filled it in, its address.
type Host struct {
	HostName string `json:"hostName"`
	IP       string `json:"ip"`

	// SSHHostKeys are the VM's SSH host keys, type and base64 each, joined by commas. Deployed programs ignore the member.
	SSHHostKeys string `json:"sshHostKeys,omitempty"`
}

// Kind returns "hosts".
func (Host) Kind() string { return KindHosts }

// ElementKey is the host name as COMET keeps it; see CanonicalHostName.
func (h Host) ElementKey() string { return CanonicalHostName(h.HostName) }

// Validate checks that the name is one of letters, digits, dots and dashes, and the address one, where there is one.
func (h Host) Validate() error {
	if err := ValidHostName(h.HostName); err != nil {
		return &FieldError{"hostName", err.Error()}
	}
	if h.IP == "" {
		return nil
	}
	// A zone is any text, and means nothing on another machine.
	if a, err := netip.ParseAddr(h.IP); err != nil || a.Zone() != "" {
		return &FieldError{"ip", "is not an IP address"}
	}
	return nil
}

// CanonicalHostName writes - for the / that ORCA has in the names of node groups: workers/0 is kept as workers-0.
func CanonicalHostName(name string) string { return strings.ReplaceAll(name, "/", "-") }

// PubKey is an element of the families pubkeys+group: the public SSH key of root on a VM, empty until the VM has filled it in.
type PubKey struct {
	PublicKey  string `json:"publicKey"` // one line with exactly one \n at its end: old guests append it as it is
	PrivateKey Hidden `json:"privateKey,omitzero"`
}

// Kind returns "pubkeys".
func (PubKey) Kind() string { return KindPubKeys }

// ElementKey is the key without the blanks around it.
func (p PubKey) ElementKey() string { return strings.TrimSpace(p.PublicKey) }

// Validate checks that the key is at most one line.
func (p PubKey) Validate() error {
	if strings.ContainsAny(strings.TrimSpace(p.PublicKey), "\n\r\x00") {
		return &FieldError{"publicKey", "has more than one line"}
	}
	return nil
}
