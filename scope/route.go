package scope

import (
	"net/netip"
	"strings"
)

// Route is an element of the family routes.
type Route struct {
	Network string `json:"routeNetwork"` // CIDR; bits behind the prefix do not count
	NextHop string `json:"routeNextHop"` // an address, "down" (the route is removed) or "user" (left alone)
	Device  string `json:"device,omitempty"`
	Gateway string `json:"gateway,omitempty"`
}

// Kind returns "routes".
func (Route) Kind() string { return "routes" }

// ElementKey is the network in its canonical form, such as 172.16.2.0/24 for 172.16.2.1/24, or the text where it is no network.
func (r Route) ElementKey() string {
	network, err := netip.ParsePrefix(strings.TrimSpace(r.Network))
	if err != nil {
		return r.Network
	}
	return network.Masked().String()
}

// Validate checks the network and the next hop.
func (r Route) Validate() error {
	network, err := netip.ParsePrefix(r.Network)
	if err != nil {
		return &FieldError{"routeNetwork", "is not a network such as 172.16.2.0/24"}
	}
	if r.NextHop == "down" || r.NextHop == "user" {
		return nil
	}
	hop, err := netip.ParseAddr(r.NextHop)
	if err != nil {
		return &FieldError{"routeNextHop", "is not an address, down or user"}
	}
	if hop.Is4() != network.Addr().Is4() {
		return &FieldError{"routeNextHop", "is not of the same IP version as routeNetwork"}
	}
	return nil
}

// validateNew checks what a network alone does not need.
func (r Route) validateNew() error {
	if err := linkName("device", r.Device); err != nil {
		return err
	}
	if _, err := netip.ParseAddr(r.Gateway); r.Gateway != "" && err != nil {
		return &FieldError{"gateway", "is not an address"}
	}
	return nil
}
