package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/renci-nrig/comet-go/comet"
)

// Address says which of its addresses a VM publishes. The zero value is auto.
type Address struct {
	rule string // of the constants below; auto where it is empty
	name string // of the interface
	addr netip.Addr
}

const (
	auto    = "auto"
	public  = "public"
	private = "private"
	ofLink  = "interface"
	literal = "address"
)

// ParseAddress takes the setting: auto, public, private, interface NAME, or an address.
func ParseAddress(text string) (Address, error) {
	words := strings.Fields(text)
	switch {
	case len(words) == 0:
		return Address{}, nil
	case len(words) == 1 && (words[0] == auto || words[0] == public || words[0] == private):
		return Address{rule: words[0]}, nil
	case len(words) == 2 && words[0] == ofLink && isText(words[1]):
		return Address{rule: ofLink, name: words[1]}, nil
	}
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	switch {
	case err != nil:
		return Address{}, fmt.Errorf("address %q: give auto, public, private, interface NAME, or an address such as 10.0.0.1", text)
	case !usable(a):
		return Address{}, fmt.Errorf("address %s is none by which other VMs could reach this one", strings.Trim(strconv.Quote(a.String()), `"`))
	}
	return Address{rule: literal, addr: a.Unmap()}, nil
}

// isText reports whether a name can be shown to people as it is.
func isText(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}

// String returns the setting.
func (a Address) String() string {
	switch a.rule {
	case ofLink:
		return ofLink + " " + a.name
	case literal:
		return a.addr.String()
	}
	return cmp.Or(a.rule, auto)
}

// Of returns the address as it is now. It is quick, and meant to be asked each time: the address of an interface may change. auto is the
// public address, else the private one, else that of the interface which leads to the heads. An address that no other VM could use is
// never returned: of the own machine, of a link only, or with a zone.
func (a Address) Of(ctx context.Context, self Identity) (netip.Addr, error) {
	switch a.rule {
	case public:
		return known(self.Public, public)
	case private:
		return known(self.Private, private)
	case ofLink:
		return addressOf(a.name)
	case literal:
		return a.addr, nil
	}
	if metadata := either(self.Public, self.Private); usable(metadata) {
		return metadata, nil
	}
	return towardsHeads(ctx, self.UserData.CometHost)
}

// usable reports whether other VMs may reach this one by the address.
func usable(a netip.Addr) bool { return a.Unmap().IsGlobalUnicast() && a.Zone() == "" }

func known(a netip.Addr, which string) (netip.Addr, error) {
	if !usable(a) {
		return netip.Addr{}, fmt.Errorf("no %s address is known of this VM: choose another (--address, or the setting address), such as interface NAME", which)
	}
	return a, nil
}

// addressOf returns the first address of an interface, an IPv4 one where there is one.
func addressOf(name string) (netip.Addr, error) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("interface %s: %w", name, cause(err))
	}
	list, err := link.Addrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("interface %s: %w", name, cause(err))
	}
	var first netip.Addr
	for _, item := range list {
		prefix, err := netip.ParsePrefix(item.String())
		if err != nil || !usable(prefix.Addr()) {
			continue
		}
		if a := prefix.Addr().Unmap(); !first.IsValid() || a.Is4() && !first.Is4() {
			first = a
		}
	}
	if !first.IsValid() {
		return netip.Addr{}, fmt.Errorf("interface %s has no address by which other VMs could reach this one", name)
	}
	return first, nil
}

// towardsHeads returns the address from which the first head that has a route would be asked. It sends nothing: to connect a UDP socket
// only looks for the way. A head's name is looked up.
func towardsHeads(ctx context.Context, list string) (netip.Addr, error) {
	heads, err := comet.ParseHeads(list)
	if err != nil {
		return netip.Addr{}, errors.New("no address is known of this VM, and no head towards which to look: choose one (--address, or the setting address), such as interface NAME")
	}
	dialer := net.Dialer{Timeout: connecting}
	var reasons []string
	for _, head := range heads {
		u, err := url.Parse(head)
		if err != nil {
			return netip.Addr{}, err
		}
		socket, err := dialer.DialContext(ctx, "udp", u.Host)
		if err != nil {
			reasons = append(reasons, fmt.Sprintf("%s: %v", u.Host, cause(err)))
			continue
		}
		a, err := netip.ParseAddrPort(socket.LocalAddr().String())
		socket.Close()
		if err == nil && usable(a.Addr()) {
			return a.Addr().Unmap(), nil
		}
		reasons = append(reasons, u.Host+": it is reached from an address that other VMs cannot use")
	}
	return netip.Addr{}, fmt.Errorf("no address towards the heads (%s): choose one (--address, or the setting address), such as interface NAME", strings.Join(reasons, "; "))
}

// cause takes off what net puts around it.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
