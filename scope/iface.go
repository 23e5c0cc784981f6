package scope

import (
	"net/netip"
	"strconv"
	"strings"
)

// Interface is an element of the family interfaces: a network interface of the VM, found by its hardware address.
type Interface struct {
	MAC       string `json:"mac"`       // 12 hex digits without colons; see CanonicalMAC
	State     string `json:"state"`     // "up", "down" or "user" (left alone)
	IPVersion string `json:"ipVersion"` // "ipv4" or "ipv6"
	HostEth   string `json:"hosteth"`   // the host's interface that it hangs on; empty after some modifications
	IP        string `json:"ip,omitempty"`
	VLANTag   string `json:"vlanTag,omitempty"`
}

// Kind returns "interfaces".
func (Interface) Kind() string { return "interfaces" }

// ElementKey is the mac without colons, in lower case.
func (i Interface) ElementKey() string { return CanonicalMAC(i.MAC) }

// Validate checks the mac, the state, the IP version and, where there is one, the address with its prefix length.
func (i Interface) Validate() error {
	if mac := CanonicalMAC(i.MAC); len(mac) != 12 || strings.Trim(mac, "0123456789abcdef") != "" {
		return &FieldError{"mac", "is not 12 hex digits"}
	}
	if err := oneOf("state", i.State, "up", "down", "user"); err != nil {
		return err
	}
	if err := oneOf("ipVersion", i.IPVersion, "ipv4", "ipv6"); err != nil {
		return err
	}
	if i.IP == "" {
		return nil
	}
	p, err := netip.ParsePrefix(i.IP)
	if err != nil {
		return &FieldError{"ip", "is not an address with a prefix length, such as 172.16.1.10/24"}
	}
	if p.Addr().Is4() != (i.IPVersion == "ipv4") {
		return &FieldError{"ip", "is not of the version that ipVersion names"}
	}
	return nil
}

const maxVLANTag = 4094

// validateNew checks what concerns the host that the VM runs on alone.
func (i Interface) validateNew() error {
	if err := linkName("hosteth", i.HostEth); err != nil {
		return err
	}
	if tag, err := strconv.ParseUint(i.VLANTag, 10, 16); i.VLANTag != "" && (err != nil || tag > maxVLANTag) {
		return &FieldError{"vlanTag", "is not a VLAN tag (0 to 4094)"}
	}
	return nil
}

// CanonicalMAC returns a hardware address as COMET keeps it: without colons or dashes, in lower case.
func CanonicalMAC(mac string) string {
	return strings.ToLower(strings.NewReplacer(":", "", "-", "").Replace(strings.TrimSpace(mac)))
}
