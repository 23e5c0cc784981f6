package network

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Metadata is where an instance asks who it is. No route and no interface of a slice may take it in: whoever answers there hands out
// the slice's keys.
var Metadata = netip.AddrFrom4([4]byte{169, 254, 169, 254})

// The shortest prefixes that a slice may ask for. Shorter ones have the effect of a default route, which is none of a slice's business:
// half of all addresses, or all that are given out of IPv6 (2000::/3).
const (
	shortest4 = 8
	shortest6 = 16
)

// Reserved says why no slice may have a network, whatever machine it is; empty where it may.
func Reserved(n netip.Prefix) string {
	n = n.Masked()
	shortest := shortest6
	if n.Addr().Is4() {
		shortest = shortest4
	}
	switch {
	case n.Contains(Metadata):
		return "takes in the metadata address " + Metadata.String()
	case n.Bits() < shortest:
		return fmt.Sprintf("takes in too much: its prefix has to be /%d at least", shortest)
	}
	return ""
}

// Takes says whether a route to a network would lead to a head that the machine reaches over its management, or not at all yet; empty
// where it would not. besides are routes that do not count.
func (s *State) Takes(n netip.Prefix, heads []netip.Addr, management map[int]string, besides func(netlink.Route) bool) string {
	n = n.Masked()
	for _, head := range heads {
		if !n.Contains(head) {
			continue
		}
		over := s.leading(head, besides)
		switch {
		case over == nil:
			return fmt.Sprintf("takes in the head %s, to which nothing leads yet", head)
		case Network(*over).Bits() > n.Bits():
			continue
		}
		for _, index := range Over(*over) {
			if link := s.Link(index); link != nil && management[index] != "" {
				return fmt.Sprintf("takes in the head %s, which is reached over the management interface %s", head, Name(link))
			}
		}
	}
	return ""
}

// leading returns the route of the longest prefix that leads to an address, or nil.
func (s *State) leading(a netip.Addr, besides func(netlink.Route) bool) (over *netlink.Route) {
	for _, r := range s.Routes {
		n := Network(r)
		if r.Type == unix.RTN_UNICAST && n.Contains(a) && !besides(r) && (over == nil || n.Bits() > Network(*over).Bits()) {
			over = &r
		}
	}
	return over
}
