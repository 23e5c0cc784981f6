package routes

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/scope"
)

// order is what is wanted of the routes to one network.
type order struct {
	network netip.Prefix
	hop     netip.Addr // none where the route is to go
	user    bool       // left alone
}

func (o order) String() string {
	if o.hop.IsValid() {
		return o.network.String() + " via " + o.hop.String()
	}
	return o.network.String() + " down"
}

// ordersOf reads the elements, in the order of their networks. One that makes no sense is left out, and so is a second one for the same
// network. Bits behind the prefix do not count, but may show that another network is meant.
func ordersOf(elements []scope.Route) (list []order, notes []frame.Note) {
	seen := make(map[netip.Prefix]bool, len(elements))
	for _, e := range elements {
		o, err := check(e)
		if err == nil && seen[o.network] {
			err = &scope.FieldError{Field: "routeNetwork", Reason: "is there twice: the first one counts"}
		}
		if err != nil {
			about := cmp.Or(frame.OneLine(e.Network), "a route without network")
			notes = append(notes, frame.Note{Kind: frame.LeftOut, About: about, Why: err.Error()})
			continue
		}
		if given, _ := netip.ParsePrefix(e.Network); given != o.network {
			notes = append(notes, frame.Note{Kind: frame.Warning, About: o.network.String(), Why: "routeNetwork is given as " + given.String()})
		}
		seen[o.network] = true
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b order) int {
		return cmp.Or(a.network.Addr().Compare(b.network.Addr()), cmp.Compare(a.network.Bits(), b.network.Bits()))
	})
	return list, notes
}

func check(e scope.Route) (o order, err error) {
	if err := e.Validate(); err != nil {
		return order{}, err
	}
	if o.network, err = netip.ParsePrefix(e.Network); err != nil {
		return order{}, err
	}
	o.network = o.network.Masked()
	if err := checkNetwork(o.network); err != nil {
		return order{}, err
	}
	switch e.NextHop {
	case "user":
		o.user = true
		return o, nil
	case "down":
		return o, nil
	}
	if o.hop, err = netip.ParseAddr(e.NextHop); err != nil {
		return order{}, err
	}
	return o, checkHop(o.hop)
}

func checkNetwork(n netip.Prefix) error {
	wrong := func(reason string) error { return &scope.FieldError{Field: "routeNetwork", Reason: reason} }
	reserved := network.Reserved(n)
	switch a := n.Addr(); {
	case n.Bits() == 0:
		return wrong("is the default route, which belongs to the management of the machine")
	case a.Is4In6():
		return wrong("is an IPv4 network written as one of IPv6")
	case reserved != "":
		return wrong(reserved)
	case a.IsLoopback(), a.IsMulticast(), a.IsLinkLocalUnicast(), a.IsUnspecified():
		return wrong("is no network that routes lead to")
	}
	return nil
}

func checkHop(hop netip.Addr) error {
	wrong := func(reason string) error { return &scope.FieldError{Field: "routeNextHop", Reason: reason} }
	switch {
	case hop.Zone() != "", hop.IsLinkLocalUnicast():
		return wrong("is a link-local address, which does not tell the interface")
	case hop.Is4In6():
		return wrong("is an IPv4 address written as one of IPv6")
	case hop.IsLoopback(), hop.IsMulticast(), hop.IsUnspecified(), hop == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return wrong("is no address of a router")
	}
	return nil
}
