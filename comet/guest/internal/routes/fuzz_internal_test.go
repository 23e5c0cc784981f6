package routes

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzOrders: whatever an entry asks for, no order is about the default route, or a network or a router that routes do not lead to, there is
// one for a network, and what is left out is noted in one line.
func FuzzOrders(f *testing.F) {
	route := func(network, hop string) string {
		return string(scope.Encode(scope.Route{Network: network, NextHop: hop}))
	}
	f.Add(route("10.2.0.0/16", "172.16.1.1"))
	f.Add(route("2001:DB8:2::1/48", "user"))
	f.Add(route("0.0.0.0/0", "10.0.0.1"))
	f.Add(route("10.2.0.0/16\n", "fe80::1%-o"))
	f.Add(route("::ffff:10.0.0.0/100", "down"))
	f.Add(`{"val_":[{"routeNetwork":"10.2.0.0/16","routeNextHop":"10.0.0.1"},{"routeNetwork":"10.2.3.4/16","routeNextHop":"down"},{"routeNetwork":"\u001b[2J"}]}`)
	f.Fuzz(func(t *testing.T, value string) {
		elements, err := scope.Decode[scope.Route]([]byte(value))
		if err != nil {
			return
		}
		list, notes := ordersOf(elements)
		for _, n := range notes {
			plant.RequireLine(t, n.About)
			plant.RequireLine(t, n.Why)
		}
		seen := map[netip.Prefix]bool{}
		for _, o := range list {
			a := o.network.Addr()
			require.False(t, seen[o.network], o)
			require.True(t, o.network.IsValid() && o.network.Bits() > 0 && o.network == o.network.Masked(), o)
			require.False(t, a.Is4In6() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast(), o)
			require.False(t, o.user && o.hop.IsValid())
			require.True(t, !o.hop.IsValid() || o.hop.Zone() == "" && o.hop.IsGlobalUnicast() && !o.hop.Is4In6(), o)
			plant.RequireLine(t, o.String())
			seen[o.network] = true
		}
	})
}
