package interfaces

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/scope"
)

// place is a link that is changed.
type place struct {
	index int
	mac   string
	text  string // its name and address, for people
	asked string // what is wanted of it
	unset *bool  // an address could not be set
}

func placeOf(link netlink.Link, mac, asked string) place {
	return place{link.Attrs().Index, mac, network.Name(link) + " (" + network.Colons(mac) + ")", asked, new(bool)}
}

// change plans a change of a link, on which those of others do not depend.
func (l *looking) change(p place, text string, do func(context.Context) error, set ...network.Placed) {
	l.changes = append(l.changes, network.Change{
		Step: frame.Step{Text: text, Do: do, Of: text}, Asked: p.asked, Touched: network.Touched{Links: []int{p.index}, Set: set},
	})
}

// addresses plans that a link has these addresses, and, where all is known that is wanted, not those any more that the guest set before.
func (l *looking) addresses(p place, wanted []netip.Prefix) {
	there := l.now.Prefixes(p.index)
	over := func(r netlink.Route) bool { return r.LinkIndex == p.index }
	whole := l.whole
	for _, w := range wanted {
		if slices.Contains(there, w) {
			continue
		}
		if why := l.now.Takes(w, l.heads, l.management, over); why != "" {
			l.note(frame.LeftOut, p.mac, "%s", &scope.FieldError{Field: "ip", Reason: why})
			whole = false
			continue
		}
		clash := slices.IndexFunc(there, func(a netip.Prefix) bool { return a.Addr() == w.Addr() && a.Addr().Is6() })
		switch { // IPv6 has an address once, whatever its prefix
		case clash < 0:
			l.set(p, w, netip.Prefix{})
		case slices.Contains(l.ledger.Ours[p.mac], there[clash]):
			l.set(p, w, there[clash])
			l.plan.More = true // the ledger forgets the old one
		default:
			l.note(frame.Warning, p.mac, "has %s from somebody else, and cannot have %s beside it", there[clash], w)
		}
	}
	for _, a := range l.ledger.Ours[p.mac] {
		if whole && !slices.Contains(wanted, a) && slices.Contains(there, a) {
			l.remove(p, a)
		}
	}
}

// set plans an address in the place of another one, which may be none. The ledger knows before the kernel, so that no address of the
// guest's is ever taken for somebody else's.
func (l *looking) set(p place, address, instead netip.Prefix) {
	m := l.module
	l.change(p, "set address "+address.String()+" on "+p.text, func(context.Context) (err error) {
		defer func() { *p.unset = *p.unset || err != nil }()
		if err := m.update(l.ledger.Management, func(b *ledger) { b.add(p.mac, address) }); err != nil {
			return err
		}
		if instead.IsValid() {
			if err := network.RemoveAddress(p.index, instead); err != nil {
				return err
			}
		}
		return network.SetAddress(p.index, address)
	}, network.Placed{Link: p.index, Address: address})
}

var errUnset = errors.New("the one that takes its place could not be set")

// remove plans that an address goes, once those are there that take its place; the ledger forgets it when it has gone.
func (l *looking) remove(p place, address netip.Prefix) {
	l.change(p, "remove address "+address.String()+" from "+p.text, func(context.Context) error {
		if *p.unset {
			return errUnset
		}
		return network.RemoveAddress(p.index, address)
	})
	l.plan.More = true
}

// withdraw plans that what the guest has set goes where nobody asks for the interface any more, and all is known that is asked for.
func (l *looking) withdraw(orders []order) {
	for _, mac := range l.ledger.macs() {
		link, _, err := l.now.Find(mac)
		if err != nil || l.module.ignored[mac] || slices.ContainsFunc(orders, func(o order) bool { return o.mac == mac }) {
			continue
		}
		if l.management[link.Attrs().Index] != "" {
			continue
		}
		p := placeOf(link, mac, network.Colons(mac)+" withdrawn")
		for _, a := range l.now.Prefixes(p.index) {
			if !slices.Contains(l.ledger.Ours[mac], a) {
				continue
			}
			if !l.whole {
				l.plan.Notes = append(l.plan.Notes, frame.Held("interfaces", l.plan.Notes))
				return
			}
			l.remove(p, a)
		}
	}
}
