package routes

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
)

// keep plans what an order asks for.
func (l *looking) keep(o order) {
	switch {
	case o.user:
	case !o.hop.IsValid():
		for _, r := range l.routes[o.network] {
			if r.Type == unix.RTN_UNICAST && !l.protected(o.network, r) {
				l.remove(r)
			}
		}
	default:
		l.replace(o)
	}
}

// replace plans that a network is reached by a next hop. A route that does so already stays, whoever has made it, unless it stands
// back behind another.
func (l *looking) replace(o order) {
	var there bool
	for _, r := range l.routes[o.network] {
		if leads(r, o.hop) {
			first := !slices.ContainsFunc(l.routes[o.network], func(other netlink.Route) bool { return other.Priority < r.Priority })
			there = there || first || r.Protocol == Protocol
		} else if l.protected(o.network, r) {
			return
		}
	}
	if there {
		l.plan.Count++
		l.removeOwn(o)
		return
	}
	over, why := l.reach(o.hop)
	switch {
	case l.own[o.hop]:
		l.note(frame.LeftOut, o.network, "routeNextHop %s is this machine's own address", o.hop)
		return
	case why != "":
		l.note(frame.Waiting, o.network, "next hop %s %s", o.hop, why)
		return
	}
	l.plan.Count++
	route := netlink.Route{Dst: network.IPNet(o.network), Gw: o.hop.AsSlice(), LinkIndex: over, Protocol: Protocol}
	l.change(o.network, "route "+o.network.String()+" via "+o.hop.String(), func() error { return netlink.RouteReplace(&route) })
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
			l.remove(r)
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
		if r.Protocol != Protocol || asked[network.Network(r)] {
			continue
		}
		if !whole {
			l.plan.Notes = append(l.plan.Notes, frame.Held("routes", l.plan.Notes))
			return
		}
		l.remove(r)
	}
}

func (l *looking) remove(r netlink.Route) {
	n := network.Network(r)
	text := "remove route " + n.String()
	if gateway := network.Addr(r.Gw); gateway.IsValid() {
		text += " via " + gateway.String()
	}
	l.change(n, text, func() error {
		if err := netlink.RouteDel(&r); !errors.Is(err, unix.ESRCH) { // gone with its link
			return err
		}
		return nil
	})
}

func (l *looking) change(n netip.Prefix, text string, do func() error) {
	l.touched = append(l.touched, n)
	l.plan.Steps = append(l.plan.Steps, frame.Step{Text: text, Of: text, Do: func(context.Context) error { return do() }})
}
