package interfaces

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzOrders: whatever an entry asks for, there is one order for a card, named by its hardware address, with addresses that a card of a
// VM can have, and what is left out is noted in one line.
func FuzzOrders(f *testing.F) {
	card := func(mac, state, ip string) string {
		return string(scope.Encode(scope.Interface{MAC: mac, State: state, IPVersion: "ipv4", IP: ip}))
	}
	f.Add(card("FE-16-3E-00-26-CB", "up", "10.0.0.1/24"))
	f.Add(card("fe163e0026cb", "user", ""))
	f.Add(card("fe163e0026cb\n", "up", "127.0.0.1/8"))
	f.Add(card("\x1b[2J", "down", "fe80::1%x/64"))
	f.Add(card("eth0 -o", "up", "::ffff:10.0.0.1/120"))
	f.Add(`{"val_":[{"mac":"fe163e0026cb","state":"up","ipVersion":"ipv4","ip":"10.0.0.1/24"},{"mac":"FE:16:3E:00:26:CB","state":"down"},{"mac":""}]}`)
	f.Fuzz(func(t *testing.T, value string) {
		elements, err := scope.Decode[scope.Interface]([]byte(value))
		if err != nil {
			return
		}
		list, notes := new(Module).orders(elements)
		for _, n := range notes {
			plant.RequireLine(t, n.About)
			plant.RequireLine(t, n.Why)
		}
		seen := map[string]bool{}
		for _, o := range list {
			require.Regexp(t, `^[0-9a-f]{12}$`, o.mac)
			require.False(t, seen[o.mac], o)
			seen[o.mac] = true
			require.Contains(t, []string{"up", "down", "user"}, o.state)
			for _, p := range o.addresses {
				require.True(t, p.IsValid() && p.Addr().IsGlobalUnicast() && !p.Addr().Is4In6(), o)
			}
			plant.RequireLine(t, o.String())
		}
	})
}

// FuzzIfupdown: whatever stands in interfaces(5), what is read of it are words, and each is a pattern for names or is none.
func FuzzIfupdown(f *testing.F) {
	for _, text := range []string{"auto lo eth1\niface eth1 inet static\n  address 10.0.0.1/24\n", "allow-hotplug /eth*=x \\\n /mac/fa:16:3e:*\n", "iface\nauto [\\\n", "auto /mac/[\x1b"} {
		f.Add(text)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = "eth1", []byte{0xfa, 0x16, 0x3e, 0, 0, 1}
	link := &netlink.Dummy{LinkAttrs: attrs}
	f.Fuzz(func(t *testing.T, text string) {
		for _, word := range namedBy(text) {
			require.LessOrEqual(t, len(strings.Fields(word)), 1, "%q", word)
			if fits(word, link) && !strings.ContainsAny(word, "*?[\\") {
				require.Contains(t, []string{"eth1", "/eth1", "/mac/fa:16:3e:00:00:01"}, strings.ToLower(word))
			}
		}
	})
}
