package routes

import (
	"context"
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/scope"
)

// keep plans what an order asks for.
func (l *looking) keep(o order) {
	switch {
	case o.user:
	case !o.hop.IsValid():
		for _, r := range l.routes[o.network] {
			if r.Type == unix.RTN_UNICAST && !l.protected(o.network, r) {
				l.remove(r, o.String())
			}
		}
	default:
		l.replace(o)
	}
}

// replace plans that a network is reached by a next hop. A route that does so already stays, whoever has made it, unless it stands
// back behind another.
func (l *looking) replace(o order) {
	first, mine := l.first(o.network), false
	for _, r := range l.routes[o.network] {
		if !leads(r, o.hop) && l.protected(o.network, r) {
			return
		}
		mine = mine || r.Protocol == Protocol && leads(r, o.hop) && r.Priority == priority(o.network)
	}
	switch {
	case first != nil && leads(*first, o.hop):
		l.kept = append(l.kept, o.String())
		l.removeOwn(o)
		return
	case mine:
		l.note(frame.Warning, o.network, "goes by %s: somebody has put another route before the guest's", by(*first))
		return
	}
	over, why := l.reach(o.hop)
	takes := l.now.Takes(o.network, l.heads, l.management, func(r netlink.Route) bool { return r.Protocol == Protocol })
	switch {
	case takes != "":
		l.note(frame.LeftOut, o.network, "%s", &scope.FieldError{Field: "routeNetwork", Reason: takes})
		return
	case l.own[o.hop]:
		l.note(frame.LeftOut, o.network, "routeNextHop %s is this machine's own address", o.hop)
		return
	case why != "":
		l.note(frame.Waiting, o.network, "next hop %s %s", o.hop, why)
		return
	}
	l.kept = append(l.kept, o.String())
	route := netlink.Route{Dst: network.IPNet(o.network), Gw: o.hop.AsSlice(), LinkIndex: over, Protocol: Protocol, Priority: priority(o.network)}
	l.change(o.network, o.String(), "route "+o.String(), func() error { return netlink.RouteReplace(&route) })
}

// first returns the route to a network that counts, or nil: of several with the same priority it is the one that is listed first.
func (l *looking) first(n netip.Prefix) (first *netlink.Route) {
	for i, r := range l.routes[n] {
		if first == nil || r.Priority < first.Priority {
			first = &l.routes[n][i]
		}
	}
	return first
}

// priority of the guest's routes, which come before those of others. For IPv6 the kernel takes 0 as 1024.
func priority(n netip.Prefix) int {
	if n.Addr().Is4() {
		return 0
	}
	return 1
}

// by tells where a route leads.
func by(r netlink.Route) string {
	if gateway := network.Addr(r.Gw); gateway.IsValid() {
		return gateway.String()
	}
	return "another way"
}

// reach returns the link that leads to a next hop, that of the longest prefix, or why there is none.
func (l *looking) reach(hop netip.Addr) (link int, why string) {
	longest := -1
	for _, r := range l.direct {
		if n := network.Network(r); n.Contains(hop) && n.Bits() > longest {
			longest, link = n.Bits(), r.LinkIndex
		}
	}
	if longest < 0 {
		return 0, "is on no network of this machine yet"
	}
	return link, ""
}

func leads(r netlink.Route, hop netip.Addr) bool {
	return r.Type == unix.RTN_UNICAST && len(r.MultiPath) == 0 && network.Addr(r.Gw) == hop
}

// protected reports whether a route is not to be touched, and says so. The guest's own may always be.
func (l *looking) protected(n netip.Prefix, r netlink.Route) bool {
	if r.Protocol == Protocol {
		return false
	}
	if r.Protocol == unix.RTPROT_KERNEL {
		l.note(frame.Warning, n, "comes with an address of %s, and is left alone", l.name(r.LinkIndex))
		return true
	}
	for _, index := range network.Over(r) {
		if why := l.management[index]; why != "" {
			l.note(frame.Warning, n, "leads over the management interface %s (it %s), and is left alone", l.name(index), why)
			return true
		}
	}
	return false
}

// removeOwn plans that those routes of the guest's go that lead to a network by another hop than the wanted one.
func (l *looking) removeOwn(o order) {
	for _, r := range l.routes[o.network] {
		if r.Protocol == Protocol && !leads(r, o.hop) {
			l.remove(r, o.String())
		}
	}
}

// withdraw plans that those of the guest's routes go that nobody asks for any more, where all is known that is asked for.
func (l *looking) withdraw(orders []order, whole bool) {
	asked := make(map[netip.Prefix]bool, len(orders))
	for _, o := range orders {
		asked[o.network] = true
	}
	for _, r := range l.now.Routes {
		n := network.Network(r)
		if r.Protocol != Protocol || asked[n] {
			continue
		}
		if !whole {
			l.plan.Notes = append(l.plan.Notes, frame.Held("routes", l.plan.Notes))
			return
		}
		l.remove(r, n.String()+" withdrawn")
	}
}

func (l *looking) remove(r netlink.Route, asked string) {
	n := network.Network(r)
	text := "remove route " + n.String()
	if gateway := network.Addr(r.Gw); gateway.IsValid() {
		text += " via " + gateway.String()
	}
	l.change(n, asked, text, func() error {
		if err := netlink.RouteDel(&r); !errors.Is(err, unix.ESRCH) { // gone with its link
			return err
		}
		return nil
	})
}

func (l *looking) change(n netip.Prefix, asked, text string, do func() error) {
	l.changes = append(l.changes, network.Change{
		Step:    frame.Step{Text: text, Of: text, Do: func(context.Context) error { return do() }},
		Asked:   asked,
		Touched: network.Touched{Networks: []netip.Prefix{n}, Protocol: Protocol},
	})
}
