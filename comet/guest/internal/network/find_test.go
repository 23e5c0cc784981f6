package network_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
)

const (
	a = "fa163e00000a"
	b = "fa163e00000b"
)

func hardware(mac string) net.HardwareAddr {
	address, _ := net.ParseMAC(network.Colons(mac))
	return address
}

// card is a link with a hardware address, and perhaps another one by birth.
func card(index int, name, now, born string) *netlink.Device {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index, Name: name, HardwareAddr: hardware(now), PermHWAddr: hardware(born)}}
}

func in(master int, c *netlink.Device) netlink.Link { c.MasterIndex = master; return c }

func on(parent int, c *netlink.Device) *netlink.Device { c.ParentIndex = parent; return c }

func TestFind(t *testing.T) {
	for name, c := range map[string]struct {
		links []netlink.Link
		mac   string
		found string
		note  string
		wrong string
	}{
		"one":                  {links: []netlink.Link{card(1, "eth0", b, ""), card(2, "eth1", a, "")}, mac: a, found: "eth1"},
		"none":                 {links: []netlink.Link{card(1, "eth0", b, "")}, mac: a, wrong: "there is no such interface yet"},
		"by birth":             {links: []netlink.Link{card(1, "eth0", b, a)}, mac: a, found: "eth0"},
		"renamed to another's": {links: []netlink.Link{card(1, "eth0", a, b), card(2, "eth1", a, a)}, mac: a, found: "eth1", note: "eth0, eth1 all have it; eth1 is taken"},
		"a bond": {links: []netlink.Link{in(3, card(1, "eth1", a, a)), in(3, card(2, "eth2", a, b)), card(3, "bond0", a, "")}, mac: a, found: "bond0",
			note: "bond0, eth1, eth2 all have it; bond0 is taken"},
		"a part of a bond": {links: []netlink.Link{in(3, card(1, "eth1", a, a)), in(3, card(2, "eth2", a, b)), card(3, "bond0", a, "")}, mac: b, found: "eth2"},
		"a VLAN":           {links: []netlink.Link{card(1, "eth1", a, a), on(1, card(2, "eth1.7", a, ""))}, mac: a, found: "eth1", note: "eth1, eth1.7 all have it; eth1 is taken"},
		"a bridge over a VLAN": {links: []netlink.Link{card(1, "eth1", a, a), in(3, on(1, card(2, "eth1.7", a, ""))), card(3, "br0", a, "")}, mac: a, found: "eth1",
			note: "br0, eth1, eth1.7 all have it; eth1 is taken"},
		"two": {links: []netlink.Link{card(1, "eth1", a, ""), card(2, "eth2", a, "")}, mac: a, wrong: "eth1, eth2 all have it"},
		"a loopback": {links: []netlink.Link{&netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Flags: net.FlagLoopback, HardwareAddr: make(net.HardwareAddr, 6)}}},
			mac: "000000000000", wrong: "there is no such interface yet"},
		"a name with escapes": {links: []netlink.Link{card(1, "e\x1b[2J", a, ""), card(2, "eth2", a, "")}, mac: a, wrong: "eth2, e\uFFFD[2J all have it"},
	} {
		t.Run(name, func(t *testing.T) {
			link, note, err := (&network.State{Links: c.links}).Find(c.mac)
			if c.wrong != "" {
				require.EqualError(t, err, c.wrong)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.found, link.Attrs().Name)
			assert.Equal(t, c.note, note)
		})
	}
}
