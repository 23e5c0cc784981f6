package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// State is what the kernel holds of the network.
type State struct {
	Links     []netlink.Link
	Addresses []netlink.Addr  // of all links
	Routes    []netlink.Route // of the main table, IPv4 and IPv6
}

// Look asks the kernel: one list of each.
func Look() (*State, error) {
	links, err := whole(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list the links: %w", err)
	}
	addresses, err := whole(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list the addresses: %w", err)
	}
	s := &State{Links: links, Addresses: addresses}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := whole(func() ([]netlink.Route, error) { return netlink.RouteList(nil, family) })
		if err != nil {
			return nil, fmt.Errorf("list the routes: %w", err)
		}
		s.Routes = append(s.Routes, routes...)
	}
	return s, nil
}

// dumps is how often a list is asked for that changes while it is read.
const dumps = 30

// whole asks until a list is of one moment: one that was interrupted lacks some of it.
func whole[E any](list func() ([]E, error)) (all []E, err error) {
	for range dumps {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return nil, fmt.Errorf("it changes faster than it can be read: %w", err)
}

// Link returns the link with an index, or nil.
func (s *State) Link(index int) netlink.Link {
	for _, l := range s.Links {
		if l.Attrs().Index == index {
			return l
		}
	}
	return nil
}

// Prefixes returns the addresses of a link.
func (s *State) Prefixes(index int) (all []netip.Prefix) {
	for _, a := range s.Addresses {
		if a.LinkIndex == index {
			all = append(all, Prefix(a.IPNet))
		}
	}
	return all
}

// Up reports whether a link is switched on, be it connected or not.
func Up(l netlink.Link) bool { return l.Attrs().Flags&net.FlagUp != 0 }

// Prefix is an address, or a network, with the length of its prefix.
func Prefix(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(Addr(n.IP), bits)
}

// IPNet is the opposite of Prefix.
func IPNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// Addr is an address; the zero one where there is none.
func Addr(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// Network is where a route leads.
func Network(r netlink.Route) netip.Prefix {
	switch {
	case r.Dst != nil:
		return Prefix(r.Dst)
	case r.Family == netlink.FAMILY_V6:
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// Over returns the links that a route leads over.
func Over(r netlink.Route) []int {
	links := []int{r.LinkIndex}
	for _, hop := range r.MultiPath {
		links = append(links, hop.LinkIndex)
	}
	return links
}
