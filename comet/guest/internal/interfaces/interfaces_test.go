package interfaces_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

func TestAnAddressIsSetWhereItDiffers(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	for _, mac := range []string{"fa163e000001", mac1, "FA163E000001", "FA-16-3E-00-00-01", " fa:16:3E:00:00:01 "} {
		v.want(ipv4(mac, "up", "172.16.1.10/24"), ipv6(mac, "up", "2001:db8::10/64"))
		if mac == "fa163e000001" {
			plan, err := v.guest().Plan(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{
				"set eth1 (fa:16:3e:00:00:01) up",
				"set address 172.16.1.10/24 on eth1 (fa:16:3e:00:00:01)",
				"set address 2001:db8::10/64 on eth1 (fa:16:3e:00:00:01)",
			}, texts(plan))
			assert.Empty(t, netns.Addresses(t, "eth1"), "a plan changes nothing")
			assert.Len(t, v.done().Done, 3)
		}
		assert.Equal(t, []string{"172.16.1.10/24", "2001:db8::10/64"}, netns.Addresses(t, "eth1"))
		report := v.done()
		assert.Empty(t, report.Done)
		assert.Equal(t, 1, report.Plan.Count)
		assert.Empty(t, report.Plan.Notes)
	}
}

func TestDriftIsRepaired(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	v.done()
	netns.Unaddress(t, "eth1", "172.16.1.10/24")
	require.NoError(t, network.SetUp(netns.Link(t, "eth1").Attrs().Index, false))
	v.done()
	assert.Equal(t, []string{"172.16.1.10/24"}, netns.Addresses(t, "eth1"))
	assert.True(t, network.Up(netns.Link(t, "eth1")))
}

func TestAddressesOfOthersStay(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	netns.Address(t, "eth1", "172.16.1.77/24")
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	v.done()
	netns.Address(t, "eth1", "172.16.1.78/24")
	netns.Address(t, "eth1", "192.168.5.1/24")
	netns.Address(t, "eth1", "2001:db8::1/64")
	v.want(ipv4(mac1, "up", "172.16.1.20/24"))
	v.done()
	assert.ElementsMatch(t, []string{"172.16.1.77/24", "172.16.1.78/24", "172.16.1.20/24", "192.168.5.1/24", "2001:db8::1/64"}, netns.Addresses(t, "eth1"))

	v.want(ipv4(mac1, "up", "192.168.5.1/24")) // which is there, from somebody else
	v.done()
	v.want()
	v.done()
	assert.ElementsMatch(t, []string{"172.16.1.77/24", "172.16.1.78/24", "192.168.5.1/24", "2001:db8::1/64"}, netns.Addresses(t, "eth1"))
}

// The kernel removes all addresses of a network together with the first one, unless it is told not to.
func TestTheFirstAddressOfANetworkGoesAlone(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	netns.Write(t, "/proc/sys/net/ipv4/conf/eth1/promote_secondaries", "0", 0o644)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	v.done()
	netns.Address(t, "eth1", "172.16.1.77/24")
	v.want(ipv4(mac1, "up", "172.16.1.20/24"))
	assert.Contains(t, v.done().Done, "remove address 172.16.1.10/24 from eth1 (fa:16:3e:00:00:01)")
	assert.ElementsMatch(t, []string{"172.16.1.77/24", "172.16.1.20/24"}, netns.Addresses(t, "eth1"))
	assert.Equal(t, "0\n", read(t, "/proc/sys/net/ipv4/conf/eth1/promote_secondaries"))
}

func TestAnotherPrefixOfTheSameAddress(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"), ipv6(mac1, "up", "2001:db8::10/64"))
	v.done()
	v.want(ipv4(mac1, "up", "172.16.1.10/16"), ipv6(mac1, "up", "2001:db8::10/48"))
	v.done()
	assert.ElementsMatch(t, []string{"172.16.1.10/16", "2001:db8::10/48"}, netns.Addresses(t, "eth1"))

	netns.Card(t, "eth2", mac2)
	netns.Address(t, "eth2", "2001:db8:2::10/64")
	v.want(ipv6(mac2, "up", "2001:db8:2::10/48"))
	report := v.done()
	assert.Equal(t, []frame.NoteKind{frame.Warning}, kinds(report.Plan.Notes, mac2))
	assert.Equal(t, []string{"2001:db8:2::10/64"}, netns.Addresses(t, "eth2"))
}

// What the kernel refuses on one interface stops nothing on others, and no address goes before there is one in its place.
func TestAnAddressThatFailsStopsNoOther(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	netns.Card(t, "eth2", mac2)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	v.done()
	netns.Write(t, "/proc/sys/net/ipv6/conf/eth1/disable_ipv6", "1", 0)
	v.want(ipv6(mac1, "up", "2001:db8::10/64"), ipv4(mac2, "up", "172.16.2.10/24"))
	report := v.apply()
	require.ErrorContains(t, report.Err, "set address 2001:db8::10/64 on eth1 (fa:16:3e:00:00:01): ")
	assert.Equal(t, []string{"172.16.1.10/24"}, netns.Addresses(t, "eth1"))
	assert.Equal(t, []string{"172.16.2.10/24"}, netns.Addresses(t, "eth2"))
	netns.Write(t, "/proc/sys/net/ipv6/conf/eth1/disable_ipv6", "0", 0)
	v.done()
	assert.Equal(t, []string{"2001:db8::10/64"}, netns.Addresses(t, "eth1"))
}

// Without an address nothing is flushed but what the guest has set.
func TestWithoutAnAddressOnlyTheStateIsSet(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	netns.Card(t, "eth2", mac2)
	netns.Up(t, "eth2")
	netns.Address(t, "eth1", "172.16.1.77/24")
	netns.Address(t, "eth2", "172.16.2.77/24")
	v.want(ipv4(mac1, "up", ""), ipv4(mac2, "down", "172.16.2.10/24"))
	v.done()
	assert.True(t, network.Up(netns.Link(t, "eth1")))
	assert.False(t, network.Up(netns.Link(t, "eth2")))
	assert.Equal(t, []string{"172.16.1.77/24"}, netns.Addresses(t, "eth1"))
	assert.Equal(t, []string{"172.16.2.77/24"}, netns.Addresses(t, "eth2"))

	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	v.done()
	v.want(ipv4(mac1, "up", ""), ipv4("oops", "up", ""))
	v.done()
	assert.Equal(t, []string{"172.16.1.77/24", "172.16.1.10/24"}, netns.Addresses(t, "eth1"), "what was left out may be about it")
	v.want(ipv4(mac1, "up", ""))
	v.done()
	assert.Equal(t, []string{"172.16.1.77/24"}, netns.Addresses(t, "eth1"))
}

func TestUserAndIgnoredAreLeftAlone(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	netns.Card(t, "eth2", mac2)
	v.ignore = []string{"FA:16:3E:00:00:02"}
	v.want(ipv4(mac1, "user", "172.16.1.10/24"), ipv4(mac2, "up", "172.16.2.10/24"))
	assert.Empty(t, v.done().Plan.Notes)
	assert.Empty(t, netns.Addresses(t, "eth1"))
	assert.Empty(t, netns.Addresses(t, "eth2"))

	v.ignore = nil
	v.want(ipv4(mac1, "up", "172.16.1.10/24"), ipv4(mac2, "up", "172.16.2.10/24"))
	v.done()
	v.ignore = []string{mac2}
	v.want(ipv4(mac1, "user", ""))
	v.done()
	v.want(ipv4(mac1, "up", "172.16.1.20/24"))
	v.done()
	assert.Equal(t, []string{"172.16.1.10/24", "172.16.1.20/24"}, netns.Addresses(t, "eth1"), "what the user was given is the user's")
	assert.Equal(t, []string{"172.16.2.10/24"}, netns.Addresses(t, "eth2"))
}

func TestMoreThanOneStateLeavesAlone(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"), ipv6(mac1, "down", ""))
	assert.Equal(t, []frame.NoteKind{frame.Warning}, kinds(v.done().Plan.Notes, mac1))
	assert.False(t, network.Up(netns.Link(t, "eth1")))
}

func TestWithdrawnInterfaces(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	v.done()
	v.want()
	v.wanted.Whole = false
	v.done()
	assert.Equal(t, []string{"172.16.1.10/24"}, netns.Addresses(t, "eth1"), "not all is known")
	v.want(ipv4("oops", "up", ""))
	assert.Contains(t, v.done().Plan.Notes, frame.Held("interfaces", []frame.Note{{Kind: frame.LeftOut, About: "oops"}}))
	assert.Equal(t, []string{"172.16.1.10/24"}, netns.Addresses(t, "eth1"), "one was left out, and may be this one")
	v.want()
	v.unknown = frame.ErrUnknown
	require.ErrorIs(t, v.apply().Err, frame.ErrUnknown)
	assert.Equal(t, []string{"172.16.1.10/24"}, netns.Addresses(t, "eth1"))
	v.unknown = nil
	v.done()
	assert.Empty(t, netns.Addresses(t, "eth1"))
	netns.Address(t, "eth1", "172.16.1.10/24")
	v.done()
	assert.Equal(t, []string{"172.16.1.10/24"}, netns.Addresses(t, "eth1"), "it is somebody else's now")
}

func TestHostileElementsAreLeftOut(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	for name, e := range map[string]struct{ mac, state, version, ip, about, field string }{
		"no mac":               {"", "up", "ipv4", "172.16.9.1/24", "an element without mac", "mac"},
		"a path":               {"../../etc/x", "up", "ipv4", "", "../../etc/x", "mac"},
		"lines":                {"fa163e00\n[Match]", "up", "ipv4", "", "fa163e00; [Match]", "mac"},
		"an option":            {"--help", "up", "ipv4", "", "--help", "mac"},
		"no state":             {mac2, "", "ipv4", "", mac2, "state"},
		"a command":            {mac2, "up; reboot", "ipv4", "", mac2, "state"},
		"no version":           {mac2, "up", "", "172.16.9.1/24", mac2, "ipVersion"},
		"another version":      {mac2, "up", "ipv4", "2001:db8::1/64", mac2, "ip"},
		"no length":            {mac2, "up", "ipv4", "172.16.9.1", mac2, "ip"},
		"long":                 {mac2, "up", "ipv4", "172.16.9.1/33", mac2, "ip"},
		"every address":        {mac2, "up", "ipv4", "172.16.9.1/0", mac2, "ip"},
		"the metadata's":       {mac2, "up", "ipv4", "128.0.0.1/1", mac2, "ip"},
		"too much":             {mac2, "up", "ipv4", "172.16.9.1/7", mac2, "ip"},
		"all of IPv6":          {mac2, "up", "ipv6", "2001:db8::1/3", mac2, "ip"},
		"link-local":           {mac2, "up", "ipv4", "169.254.1.1/16", mac2, "ip"},
		"link-local, IPv6":     {mac2, "up", "ipv6", "fe80::1/64", mac2, "ip"},
		"loopback":             {mac2, "up", "ipv4", "127.0.0.1/8", mac2, "ip"},
		"loopback, IPv6":       {mac2, "up", "ipv6", "::1/128", mac2, "ip"},
		"multicast":            {mac2, "up", "ipv4", "224.0.0.1/24", mac2, "ip"},
		"multicast, IPv6":      {mac2, "up", "ipv6", "ff02::1/64", mac2, "ip"},
		"broadcast":            {mac2, "up", "ipv4", "255.255.255.255/32", mac2, "ip"},
		"none":                 {mac2, "up", "ipv4", "0.0.0.0/8", mac2, "ip"},
		"IPv4 in IPv6":         {mac2, "up", "ipv6", "::ffff:172.16.9.1/120", mac2, "ip"},
		"a zone":               {mac2, "up", "ipv6", "2001:db8::1%eth0/64", mac2, "ip"},
		"lines in the address": {mac2, "up", "ipv4", "172.16.9.1/24\nup reboot", mac2, "ip"},
	} {
		t.Run(name, func(t *testing.T) {
			v.t = t
			bad := ipv4(e.mac, e.state, e.ip)
			bad.IPVersion = e.version
			v.want(bad, ipv4(mac1, "up", "172.16.1.10/24"))
			report := v.apply()
			require.NoError(t, report.Err)
			require.Len(t, report.Plan.Notes, 1)
			note := report.Plan.Notes[0]
			assert.Equal(t, frame.LeftOut, note.Kind)
			assert.Equal(t, e.about, note.About)
			assert.Regexp(t, "^"+e.field+" ", note.Why)
			assert.Equal(t, []string{"172.16.1.10/24"}, netns.Addresses(t, "eth1"))
		})
	}
}

// A note that changes from one look to the next would be news each time.
func TestOfTwoReasonsTheSameIsTold(t *testing.T) {
	v := newVM(t)
	v.want(ipv6(mac1, "up", "::ffff:127.0.0.1/128"))
	for range 50 {
		plan, err := v.guest().Plan(t.Context())
		require.NoError(t, err)
		require.Equal(t, []frame.Note{{Kind: frame.LeftOut, About: mac1, Why: "ip is an IPv4 address written as one of IPv6"}}, plan.Notes)
	}
}
