package interfaces

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/scope"
)

// The states of an element.
const (
	up   = "up"
	user = "user"
)

// order is what is wanted of one interface: of all elements that name it.
type order struct {
	mac       string // as scope.CanonicalMAC makes it
	state     string
	addresses []netip.Prefix // each once; those that others have set stay beside them
}

func (o order) String() string {
	text := network.Colons(o.mac) + " " + o.state
	for _, a := range o.addresses {
		text += " " + a.String()
	}
	return text
}

// orders brings the elements together by hardware address, in its order. An element that makes no sense is left out.
func (m *Module) orders(elements []scope.Interface) (list []order, notes []frame.Note) {
	byMAC := map[string]*order{}
	for _, e := range elements {
		mac := scope.CanonicalMAC(e.MAC)
		if m.ignored[mac] {
			continue
		}
		address, err := check(e)
		if err != nil {
			notes = append(notes, frame.Note{Kind: frame.LeftOut, About: about(e), Why: err.Error()})
			continue
		}
		o := byMAC[mac]
		if o == nil {
			o = &order{mac: mac, state: e.State}
			byMAC[mac] = o
		}
		if o.state != e.State {
			notes = append(notes, frame.Note{Kind: frame.Warning, About: about(e), Why: "its elements ask for more than one state: it is left alone"})
			o.state = user
		}
		if address.IsValid() && !slices.Contains(o.addresses, address) {
			o.addresses = append(o.addresses, address)
		}
	}
	for _, mac := range slices.Sorted(maps.Keys(byMAC)) {
		list = append(list, *byMAC[mac])
	}
	return list, notes
}

// about names an element, whatever its mac is.
func about(e scope.Interface) string {
	if mac := scope.CanonicalMAC(e.MAC); len(mac) == 12 && strings.Trim(mac, "0123456789abcdef") == "" {
		return network.Colons(mac)
	}
	return cmp.Or(frame.OneLine(e.MAC), "an element without mac")
}

// check returns the address of an element, and none where it has none.
func check(e scope.Interface) (netip.Prefix, error) {
	if err := e.Validate(); err != nil || e.IP == "" {
		return netip.Prefix{}, err
	}
	p, err := netip.ParsePrefix(e.IP)
	if err != nil {
		return netip.Prefix{}, err
	}
	a := p.Addr()
	for _, c := range []struct { // of several reasons the first one is told, each time
		refused bool
		reason  string
	}{
		{a.Is4In6(), "is an IPv4 address written as one of IPv6"},
		{a.IsLoopback(), "is a loopback address"},
		{a.IsLinkLocalUnicast(), "is a link-local address"},
		{a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}), "is a multicast address"},
		{a.IsUnspecified(), "is no address but stands for any"},
	} {
		if c.refused {
			return netip.Prefix{}, &scope.FieldError{Field: "ip", Reason: c.reason}
		}
	}
	if why := network.Reserved(p); why != "" {
		return netip.Prefix{}, &scope.FieldError{Field: "ip", Reason: why}
	}
	return p, nil
}
