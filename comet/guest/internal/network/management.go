package network

import (
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
)

// Metadata is where an instance asks who it is. No route and no interface of a slice may take it in: whoever answers there hands out
// the slice's keys.
var Metadata = netip.AddrFrom4([4]byte{169, 254, 169, 254})

// Management returns the links that are left as they are, and why: those that carry a default route of the main table or lead to the
// metadata address or to one of those given, together with what they belong to or are made on, and what belongs to them. A link that is
// the guest's own, because it has set its addresses, counts only for a default route.
func (s *State) Management(reach []netip.Addr, own func(index int) bool) map[int]string {
	why := map[int]string{}
	for _, r := range s.Routes {
		if Network(r).Bits() == 0 && r.Type == unicast {
			for _, index := range Over(r) {
				s.protect(why, index, "carries the default route")
			}
		}
	}
	for _, a := range append([]netip.Addr{Metadata}, reach...) {
		routes, err := netlink.RouteGet(a.AsSlice())
		if err != nil {
			continue // nothing leads there
		}
		for _, r := range routes {
			if !own(r.LinkIndex) {
				s.protect(why, r.LinkIndex, "leads to "+a.String())
			}
		}
	}
	return why
}

// unicast is RTN_UNICAST of rtnetlink.
const unicast = 1

// protect notes a link with those above and below it.
func (s *State) protect(why map[int]string, index int, reason string) {
	link := s.Link(index)
	if link == nil || why[index] != "" {
		return
	}
	why[index] = reason
	near := []int{link.Attrs().MasterIndex, below(link)}
	for _, l := range s.Links {
		if l.Attrs().MasterIndex == index {
			near = append(near, l.Attrs().Index)
		}
	}
	for _, next := range slices.DeleteFunc(near, func(i int) bool { return i == 0 }) {
		s.protect(why, next, "belongs together with "+Name(link)+", which "+reason)
	}
}
