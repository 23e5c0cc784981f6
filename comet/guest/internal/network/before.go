package network

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// before is how all that a change touches was before it.
type before struct {
	Boot      string
	Touched   Touched
	Up        map[int]bool
	Addresses []netlink.Addr
	Routes    []netlink.Route // over those links or to those networks
	Back      bool            // the change is noted as taken back, and things are made, or are already, as they were
}

func take(t Touched) (*before, error) {
	now, err := Look()
	if err != nil {
		return nil, err
	}
	b := &before{Boot: frame.BootID(), Touched: t, Up: map[int]bool{}}
	for _, index := range t.Links {
		if l := now.Link(index); l != nil {
			b.Up[index] = Up(l)
		}
	}
	for _, a := range now.Addresses {
		if _, ok := b.Up[a.LinkIndex]; ok {
			b.Addresses = append(b.Addresses, a)
		}
	}
	networks := setOf(t.Networks)
	for _, r := range now.Routes {
		over := slices.ContainsFunc(Over(r), func(index int) bool { _, ok := b.Up[index]; return ok })
		if over || networks[Network(r)] {
			b.Routes = append(b.Routes, r)
		}
	}
	return b, nil
}

// kept is what a file can hold of it: all but routes of rare kinds.
func (b *before) kept() *before {
	k := *b
	k.Routes = slices.DeleteFunc(slices.Clone(b.Routes), func(r netlink.Route) bool {
		return r.Via != nil || r.Encap != nil || r.NewDst != nil || slices.ContainsFunc(r.MultiPath, func(n *netlink.NexthopInfo) bool {
			return n.Via != nil || n.Encap != nil || n.NewDst != nil
		})
	})
	return &k
}

// restore makes things as they were. What has vanished meanwhile is passed over.
func (b *before) restore() error {
	now, err := Look()
	if err != nil {
		return err
	}
	var failed []error
	try := func(err error, format string, args ...any) {
		if err != nil && !errors.Is(err, unix.ENODEV) {
			failed = append(failed, fmt.Errorf(format+": %w", append(args, err)...))
		}
	}
	b.restoreLinks(now, true, try)
	b.restoreAddresses(now, try)
	b.restoreLinks(now, false, try)
	if now, err = Look(); err != nil { // links and addresses bring routes and take some with them
		return errors.Join(append(failed, err)...)
	}
	b.restoreRoutes(now, try)
	return errors.Join(failed...)
}

type attempt func(err error, format string, args ...any)

// restoreLinks switches those links that were on, or off.
func (b *before) restoreLinks(now *State, up bool, try attempt) {
	for index, was := range b.Up {
		if l := now.Link(index); l != nil && was == up && Up(l) != up {
			try(SetUp(index, up), "switch %s", Name(l))
		}
	}
}

func (b *before) restoreAddresses(now *State, try attempt) {
	at := func(a netlink.Addr) Placed { return Placed{a.LinkIndex, Prefix(a.IPNet)} }
	there, was := map[Placed]bool{}, map[Placed]bool{}
	for _, a := range now.Addresses {
		there[at(a)] = true
	}
	for _, a := range b.Addresses {
		if was[at(a)] = true; !there[at(a)] && now.Link(a.LinkIndex) != nil {
			a.Flags &^= unix.IFA_F_SECONDARY | unix.IFA_F_TENTATIVE
			try(netlink.AddrReplace(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: a.LinkIndex}}, &a), "address %s", a.IPNet)
		}
	}
	for _, p := range b.Touched.Set {
		if there[p] && !was[p] {
			try(RemoveAddress(p.Link, p.Address), "address %s", p.Address)
		}
	}
}

func (b *before) restoreRoutes(now *State, try attempt) {
	there, was := map[string]bool{}, map[string]bool{}
	for _, r := range now.Routes {
		there[routeID(r)] = true
	}
	direct := func(r netlink.Route) bool { return r.Gw == nil && r.Via == nil && len(r.MultiPath) == 0 }
	for _, first := range []bool{true, false} { // gateways are reached by those
		for _, r := range b.Routes {
			if was[routeID(r)] = true; direct(r) == first && !there[routeID(r)] {
				try(Replace(r), "route %s", Network(r))
			}
		}
	}
	networks := setOf(b.Touched.Networks)
	for _, r := range now.Routes {
		if r.Protocol == b.Touched.Protocol && networks[Network(r)] && !was[routeID(r)] {
			if err := netlink.RouteDel(&r); !errors.Is(err, unix.ESRCH) { // which says that the old one has taken its place
				try(err, "route %s", Network(r))
			}
		}
	}
}

// Replace sets a route as a list shows it.
func Replace(r netlink.Route) error {
	r.Flags &= int(netlink.FLAG_ONLINK) // the others tell how its links are
	for _, hop := range r.MultiPath {
		hop.Flags &= int(netlink.FLAG_ONLINK)
	}
	return netlink.RouteReplace(&r)
}

// routeID tells one route from another, whatever the state of its links.
func routeID(r netlink.Route) string {
	id := fmt.Sprint(Network(r), Addr(r.Gw), r.LinkIndex, r.Priority, r.Type, r.Tos, r.Protocol, Addr(r.Src), r.MTU)
	for _, hop := range r.MultiPath {
		id += fmt.Sprint(" ", Addr(hop.Gw), hop.LinkIndex, hop.Hops)
	}
	return id
}

func setOf[E comparable](all []E) map[E]bool {
	set := make(map[E]bool, len(all))
	for _, e := range all {
		set[e] = true
	}
	return set
}
