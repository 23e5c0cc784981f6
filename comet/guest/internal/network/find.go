package network

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/scope"
)

// ErrNoLink says that no link has the hardware address.
var ErrNoLink = errors.New("there is no such interface yet")

// Find returns the link that has a hardware address, now or by birth; mac is as scope.CanonicalMAC makes it. Of several with the same
// one, that is taken which addresses belong on: a bond or bridge rather than its parts, a card rather than the VLANs on top of it; note
// says so. The error is ErrNoLink, or tells which links it might be.
func (s *State) Find(mac string) (link netlink.Link, note string, err error) {
	var all []netlink.Link
	for _, l := range s.Links {
		if a := l.Attrs(); a.Flags&net.FlagLoopback == 0 && (has(a.HardwareAddr, mac) || has(a.PermHWAddr, mac)) {
			all = append(all, l)
		}
	}
	if len(all) == 0 {
		return nil, "", ErrNoLink
	}
	among := func(index int) bool {
		return index != 0 && slices.ContainsFunc(all, func(l netlink.Link) bool { return l.Attrs().Index == index })
	}
	left := slices.Clone(all)
	left = slices.DeleteFunc(left, func(l netlink.Link) bool { return among(l.Attrs().MasterIndex) || among(below(l)) })
	if born := slices.DeleteFunc(slices.Clone(left), func(l netlink.Link) bool { return !has(l.Attrs().PermHWAddr, mac) }); len(born) == 1 {
		left = born
	}
	if len(left) != 1 {
		return nil, "", fmt.Errorf("%s all have it", names(all))
	}
	if len(all) > 1 {
		note = fmt.Sprintf("%s all have it; %s is taken", names(all), Name(left[0]))
	}
	return left[0], note, nil
}

func has(address net.HardwareAddr, mac string) bool {
	return len(address) > 0 && scope.CanonicalMAC(address.String()) == mac
}

// below returns the index of the link that a VLAN or the like is made on; 0 where there is none. The other end of a veth pair, which
// may be in another namespace, is none.
func below(l netlink.Link) int {
	if l.Type() == "veth" {
		return 0
	}
	return l.Attrs().ParentIndex
}

// Name is the name of a link, fit to be shown.
func Name(l netlink.Link) string { return frame.OneLine(l.Attrs().Name) }

func names(links []netlink.Link) string {
	var all []string
	for _, l := range links {
		all = append(all, Name(l))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// Colons writes a hardware address as people do: fa:16:3e:00:00:01.
func Colons(mac string) string {
	var b strings.Builder
	for i := 0; i < len(mac); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(mac[i:min(i+2, len(mac))])
	}
	return b.String()
}
