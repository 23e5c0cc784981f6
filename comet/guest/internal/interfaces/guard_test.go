package interfaces_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/interfaces"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

var errCutOff = errors.New("no head answers")

// picture shows all that a change may alter.
func picture(t *testing.T) string {
	t.Helper()
	s, err := network.Look()
	require.NoError(t, err)
	text := ""
	for _, l := range s.Links {
		addresses := netns.Addresses(t, l.Attrs().Name)
		slices.Sort(addresses)
		text += fmt.Sprintln(l.Attrs().Name, network.Up(l), addresses)
	}
	return text + fmt.Sprintln(netns.Routes(t))
}

func TestAChangeThatCutsOffTheHeadsIsTakenBack(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	netns.Card(t, "eth2", mac2)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	v.done()
	netns.Address(t, "eth1", "172.16.1.77/24")
	netns.Up(t, "eth2")
	netns.Address(t, "eth2", "172.16.2.77/24")
	netns.Address(t, "eth2", "2001:db8::77/64")
	netns.Route(t, "10.2.0.0/16", "172.16.2.1")
	netns.Route(t, "10.3.0.0/16", "172.16.1.1")
	netns.Route(t, "2001:db8:3::/48", "2001:db8::1")
	before := picture(t)

	cutOff := func() bool { return !network.Up(netns.Link(t, "eth2")) }
	v.heads.Reach = func(context.Context) error {
		if cutOff() {
			return errCutOff
		}
		return nil
	}
	v.want(ipv4(mac1, "up", "172.16.1.20/24"), ipv4(mac2, "down", ""))
	require.ErrorIs(t, v.apply().Err, errCutOff)
	assert.Equal(t, before, picture(t))
	for range 2 {
		report := v.apply()
		require.ErrorIs(t, report.Err, network.ErrTakenBack)
		require.ErrorContains(t, report.Err, mac1+" up 172.16.1.20/24, "+mac2+" down: ")
		assert.Empty(t, report.Done)
		assert.Equal(t, before, picture(t))
	}
	v.heads.Reach = func(context.Context) error { return errCutOff } // as after a reboot
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	assert.Equal(t, before, picture(t))

	v.heads.Reach = func(context.Context) error { return nil }
	v.want(ipv4(mac1, "up", "172.16.1.20/24"))
	v.done()
	assert.Equal(t, []string{"172.16.1.77/24", "172.16.1.20/24"}, netns.Addresses(t, "eth1"), "the ledger knows what is the guest's")
}

// What fails for good keeps nothing from being tried again.
func TestAFailureBesideWhatWasTakenBack(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	netns.Card(t, "eth2", mac2)
	netns.Up(t, "eth2")
	netns.Write(t, "/proc/sys/net/ipv6/conf/eth1/disable_ipv6", "1", 0)
	bad := true
	v.heads.Reach = func(context.Context) error {
		if bad && !network.Up(netns.Link(t, "eth2")) {
			return errCutOff
		}
		return nil
	}
	v.want(ipv4(mac2, "down", ""))
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	v.want(ipv6(mac1, "up", "2001:db8::10/64"), ipv4(mac2, "down", ""))
	require.ErrorContains(t, v.apply().Err, "set address 2001:db8::10/64")
	assert.True(t, network.Up(netns.Link(t, "eth2")))

	bad = false
	require.NoError(t, v.machine.Save("interfaces-taken-back", []map[string]any{{"Asked": []string{mac2 + " down"}}})) // it has rested
	plan, err := v.guest().Plan(t.Context())
	require.ErrorContains(t, err, mac2+" down: tried once other changes are made")
	assert.True(t, plan.More)
	report := v.apply()
	require.ErrorContains(t, report.Err, "set address 2001:db8::10/64")
	assert.False(t, network.Up(netns.Link(t, "eth2")))
}

// Where nobody answered before, as at boot, nothing can be judged: what was wanted last is applied.
func TestWithTheHeadsAwayAChangeStays(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	v.heads.Reach = func(context.Context) error { return errCutOff }
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	v.done()
	assert.Equal(t, []string{"172.16.1.10/24"}, netns.Addresses(t, "eth1"))
}

// A head in another namespace stands behind the management card, until an address takes its network to another card.
func TestARealHeadThatIsCutOff(t *testing.T) {
	v := newVM(t)
	head := netns.Listen(t, "eth0", "10.99.0.1/24")
	v.heads.Addresses = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("10.99.0.1")} }
	v.heads.Reach = func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", head)
		if err == nil {
			err = c.Close()
		}
		return err
	}
	require.NoError(t, v.heads.Reach(t.Context()))
	netns.Card(t, "eth1", mac1)
	netns.Write(t, "/proc/sys/net/ipv4/neigh/eth1/retrans_time_ms", "20", 0) // that nobody is there is known soon
	v.want(ipv4(mac1, "up", "10.99.0.66/30"), ipv6(mac1, "up", "2001:db8::10/64"))
	v.done()
	before := picture(t)
	v.want(ipv4(mac1, "up", "10.99.0.2/30"), ipv6(mac1, "up", "2001:db8::10/64"))
	assert.Equal(t, []frame.Note{{Kind: frame.LeftOut, About: mac1,
		Why: "ip takes in the head 10.99.0.1, which is reached over the management interface eth0"}}, v.done().Plan.Notes)
	assert.Equal(t, before, picture(t), "nothing goes either")
	v.heads.Addresses = nil
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	assert.Equal(t, before, picture(t))
	require.NoError(t, v.heads.Reach(t.Context()))
}

// Stopped after each of its steps, even in the middle of one that is tried, the guest ends where it was to end.
func TestStoppedAfterAnyStep(t *testing.T) {
	wanted := []scope.Interface{
		ipv4(mac1, "up", "172.16.1.20/16"), ipv6(mac1, "up", "2001:db8::10/48"), ipv4(mac2, "down", ""),
	}
	begin := func(t *testing.T) *vm {
		v := newVM(t)
		netns.Write(t, "/run/NetworkManager/x", "", 0o644)
		netns.Program(t, "nmcli")
		v.heads.Reach = func(context.Context) error { return nil }
		netns.Card(t, "eth1", mac1)
		netns.Card(t, "eth2", mac2)
		v.want(ipv4(mac1, "up", "172.16.1.10/24"), ipv6(mac1, "up", "2001:db8::10/64"), ipv4(mac2, "up", "172.16.2.10/24"))
		v.done()
		netns.Address(t, "eth1", "172.16.1.77/24")
		v.want(wanted...)
		return v
	}
	var steps int
	for stop := 0; stop == 0 || stop <= steps; stop++ {
		t.Run(fmt.Sprint("after ", stop), func(t *testing.T) {
			v := begin(t)
			plan, err := v.guest().Plan(t.Context())
			require.NoError(t, err)
			steps = len(plan.Steps)
			require.GreaterOrEqual(t, steps, 5)
			for _, s := range plan.Steps[:stop] {
				require.NoError(t, s.Do(t.Context()), s.Text)
			}
			v.done()
			assert.ElementsMatch(t, []string{"172.16.1.77/24", "172.16.1.20/16", "2001:db8::10/48"}, netns.Addresses(t, "eth1"))
			assert.False(t, network.Up(netns.Link(t, "eth2")))
			v.want()
			v.done()
			assert.Equal(t, []string{"172.16.1.77/24"}, netns.Addresses(t, "eth1"))
		})
	}
}

// Killed after the change that cut it off, and before it could see that.
func TestKilledWhileCutOff(t *testing.T) {
	for stop := 2; stop <= 3; stop++ {
		v := newVM(t)
		netns.Card(t, "eth1", mac1)
		netns.Up(t, "eth1")
		netns.Address(t, "eth1", "172.16.1.77/24")
		netns.Route(t, "10.3.0.0/16", "172.16.1.1")
		before, away := picture(t), false
		v.heads.Reach = func(context.Context) error {
			if away {
				return errCutOff
			}
			return nil
		}
		v.want(ipv4(mac1, "down", ""), ipv4(mac2, "up", ""))
		plan, err := v.guest().Plan(t.Context())
		require.NoError(t, err)
		require.Len(t, plan.Steps, 3)
		for _, s := range plan.Steps[:2] {
			require.NoError(t, s.Do(t.Context()))
		}
		require.NotEqual(t, before, picture(t))
		if away = stop == 2; away {
			require.ErrorIs(t, v.apply().Err, errCutOff)
			assert.Equal(t, before, picture(t))
		} else {
			v.done()
			assert.NotEqual(t, before, picture(t))
		}
	}
}

// A pass that is stopped while it asks a head leaves the judgement to the next one.
func TestStoppedWhileAskingAHead(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	before := picture(t)
	ctx, stop := context.WithCancel(t.Context())
	asked := 0
	v.heads.Reach = func(ctx context.Context) error {
		if asked++; asked == 2 {
			stop()
			return ctx.Err()
		}
		if asked > 2 {
			return errCutOff
		}
		return nil
	}
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	r := frame.NewRunner(v.machine, 0, 0)
	r.Add(v.guest(), frame.On)
	reports, err := r.Apply(ctx)
	require.NoError(t, err)
	require.ErrorIs(t, reports[0].Err, context.Canceled)
	assert.NotEqual(t, before, picture(t))
	require.ErrorIs(t, v.apply().Err, errCutOff)
	assert.Equal(t, before, picture(t))
}

func TestTheManagementInterfaceIsNotTouched(t *testing.T) {
	const mac0 = "fa:16:3e:00:00:00"
	v := newVM(t)
	before := picture(t)
	refused := func(elements ...scope.Interface) {
		t.Helper()
		v.want(elements...)
		report := v.done()
		require.Contains(t, kinds(report.Plan.Notes, mac0), frame.Warning)
		assert.Contains(t, report.Plan.Notes[0].Why, "eth0")
		assert.Equal(t, before, picture(t))
	}
	refused(ipv4(mac0, "down", ""))
	refused(ipv4(mac0, "up", "10.99.0.77/24"))

	// By the metadata address, by a head, and by what it was before there is a route.
	require.NoError(t, netlink.RouteDel(&netlink.Route{Dst: network.IPNet(netip.MustParsePrefix("0.0.0.0/0"))}))
	netns.Route(t, "169.254.169.254/32", "10.99.0.1")
	before = picture(t)
	refused(ipv4(mac0, "down", ""))
	require.NoError(t, netlink.RouteDel(&netlink.Route{Dst: network.IPNet(netip.MustParsePrefix("169.254.169.254/32"))}))
	before = picture(t)
	v.heads.Addresses = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("10.99.0.1")} }
	refused(ipv4(mac0, "down", ""))
	v.heads.Addresses = nil
	v.want(ipv4(mac0, "down", ""))
	plan, err := v.guest().Plan(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, plan.Steps, "it is nobody's way to anything")
	netns.Route(t, "0.0.0.0/0", "10.99.0.1")
	netns.Card(t, "eth1", mac1)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"))
	v.done()
	require.NoError(t, netlink.RouteDel(&netlink.Route{Dst: network.IPNet(netip.MustParsePrefix("0.0.0.0/0"))}))
	before = picture(t)
	refused(ipv4(mac0, "down", ""), ipv4(mac1, "up", "172.16.1.10/24"))
}

// Any router on a slice's network may advertise itself; that makes no management interface of the guest's own.
func TestAnAdvertisedDefaultRouteOnADataInterface(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"), ipv6(mac1, "up", "2001:db8:7::10/64"))
	v.done()
	advertised := &netlink.Route{Dst: network.IPNet(netip.MustParsePrefix("::/0")), Gw: net.ParseIP("2001:db8:7::1"), Protocol: unix.RTPROT_RA}
	require.NoError(t, netlink.RouteAdd(advertised))
	v.want(ipv4(mac1, "up", "172.16.1.20/24"), ipv6(mac1, "up", "2001:db8:7::10/64"))
	assert.Empty(t, v.done().Plan.Notes)
	assert.Equal(t, []string{"172.16.1.20/24", "2001:db8:7::10/64"}, netns.Addresses(t, "eth1"))
	assert.Contains(t, netns.Routes(t), "::/0 via 2001:db8:7::1 proto 9")

	// Without another one it may be what the machine lives by.
	require.NoError(t, netlink.RouteDel(&netlink.Route{Dst: network.IPNet(netip.MustParsePrefix("0.0.0.0/0"))}))
	v.want(ipv4(mac1, "up", "172.16.1.30/24"))
	require.Len(t, v.done().Plan.Notes, 1)
	assert.Equal(t, []string{"172.16.1.20/24", "2001:db8:7::10/64"}, netns.Addresses(t, "eth1"))
}

// What the default route's bridge is made of belongs to it.
func TestPartsOfTheManagementInterface(t *testing.T) {
	v := newVM(t)
	require.NoError(t, netlink.LinkDel(netns.Link(t, "eth0")))
	netns.Card(t, "eth1", mac1)
	require.NoError(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}))
	require.NoError(t, netlink.LinkSetMaster(netns.Link(t, "eth1"), netns.Link(t, "br0")))
	netns.Up(t, "br0")
	netns.Address(t, "br0", "10.99.0.10/24")
	netns.Route(t, "0.0.0.0/0", "10.99.0.1")
	before := picture(t)
	v.want(ipv4(mac1, "down", ""))
	report := v.done()
	require.Len(t, report.Plan.Notes, 1)
	assert.Contains(t, report.Plan.Notes[0].Why, "management interface")
	assert.Equal(t, before, picture(t))
}

func TestElsewhereNothingIsTouched(t *testing.T) {
	netns.New(t)
	m, err := frame.Open(t.TempDir(), "vm", nil)
	require.NoError(t, err)
	defer m.Close()
	module := interfaces.New(m, func() (frame.Wanted[scope.Interface], error) { panic("nobody needs to know") }, nil, network.Heads{})
	_, err = module.Plan(t.Context())
	require.ErrorIs(t, err, frame.ErrNeedsRoot)
	assert.NoFileExists(t, "/var/lib/comet-guest")
	assert.Equal(t, "interfaces", module.Name())
}
