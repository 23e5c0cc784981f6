package scope

import "net/netip"

// Route is an element of the family routes.
type Route struct {
	Network string `json:"routeNetwork"` // CIDR
	NextHop string `json:"routeNextHop"` // an address, "down" (the route is removed) or "user" (left alone)
	Device  string `json:"device,omitempty"`
	Gateway string `json:"gateway,omitempty"`
}

// Kind returns "routes".
func (Route) Kind() string { return "routes" }

// ElementKey is the network as it is written.
func (r Route) ElementKey() string { return r.Network }

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
