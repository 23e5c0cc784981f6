package network

import (
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Management returns the links that are left as they are, and why: those that carry a default route of the main table or lead to the
// metadata address or to one of those given, together with what they belong to or are made on, and what belongs to them. A link that is
// the guest's own, because it has set its addresses, counts only for a default route, and where another link has one, not for one that
// any router may have advertised there.
func (s *State) Management(reach []netip.Addr, own func(index int) bool) map[int]string {
	why := map[int]string{}
	carry := func(advertised bool) {
		for _, r := range s.Routes {
			if Network(r).Bits() != 0 || r.Type != unix.RTN_UNICAST {
				continue
			}
			for _, index := range Over(r) {
				if advertised == (r.Protocol == unix.RTPROT_RA && own(index)) {
					s.protect(why, index, "carries the default route")
				}
			}
		}
	}
	if carry(false); len(why) == 0 {
		carry(true)
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
