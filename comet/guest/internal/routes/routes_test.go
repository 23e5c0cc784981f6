package routes_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/comet/guest/internal/routes"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

func TestMain(m *testing.M) { netns.Main(m) }

// vm is a machine with a management card and a data card eth1, and a guest that looks after its routes.
type vm struct {
	t       *testing.T
	machine *frame.Machine
	wanted  frame.Wanted[scope.Route]
	unknown error
	heads   network.Heads
}

const (
	theDefault = "0.0.0.0/0 via 10.99.0.1 proto 4"
	ours       = " proto 67"
)

func newVM(t *testing.T) *vm {
	t.Helper()
	netns.New(t)
	netns.Management(t)
	netns.Card(t, "eth1", "fa:16:3e:00:00:01")
	netns.Up(t, "eth1")
	netns.Address(t, "eth1", "172.16.1.10/24")
	netns.Address(t, "eth1", "2001:db8:1::10/64")
	m, err := frame.Open("/", "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	return &vm{t: t, machine: m, wanted: frame.Wanted[scope.Route]{Whole: true}}
}

// want says what is wanted from now on, network and next hop in turn: the whole of it.
func (v *vm) want(list ...string) {
	v.wanted = frame.Wanted[scope.Route]{Whole: true}
	for i := 0; i < len(list); i += 2 {
		v.wanted.Elements = append(v.wanted.Elements, scope.Route{Network: list[i], NextHop: list[i+1]})
	}
}

func (v *vm) guest() *routes.Module {
	return routes.New(v.machine, func() (frame.Wanted[scope.Route], error) { return v.wanted, v.unknown }, v.heads)
}

func (v *vm) apply() frame.Report {
	v.t.Helper()
	r := frame.NewRunner(v.machine, 0, 0)
	r.Add(v.guest(), frame.On)
	reports, err := r.Apply(v.t.Context())
	require.NoError(v.t, err)
	return reports[0]
}

// done makes one pass, which must succeed, and looks that a second one plans nothing.
func (v *vm) done() frame.Report {
	v.t.Helper()
	report := v.apply()
	require.NoError(v.t, report.Err)
	plan, err := v.guest().Plan(v.t.Context())
	require.NoError(v.t, err)
	require.Empty(v.t, plan.Steps)
	return report
}

func (v *vm) routes(want ...string) {
	v.t.Helper()
	assert.ElementsMatch(v.t, append(want, theDefault), netns.Routes(v.t))
}

func TestRoutesAreSetWhereTheyDiffer(t *testing.T) {
	v := newVM(t)
	v.want("10.2.0.0/16", "172.16.1.1", "2001:DB8:2::/48", "2001:db8:1::1")
	assert.Equal(t, []string{"route 10.2.0.0/16 via 172.16.1.1", "route 2001:db8:2::/48 via 2001:db8:1::1"}, v.done().Done)
	v.routes("10.2.0.0/16 via 172.16.1.1"+ours, "2001:db8:2::/48 via 2001:db8:1::1"+ours)
	v.want("10.2.0.0/16", "172.16.1.2", "2001:db8:2::/48", "2001:db8:1::2")
	report := v.done()
	assert.Equal(t, []string{"route 10.2.0.0/16 via 172.16.1.2", "route 2001:db8:2::/48 via 2001:db8:1::2"}, report.Done)
	v.routes("10.2.0.0/16 via 172.16.1.2"+ours, "2001:db8:2::/48 via 2001:db8:1::2"+ours)
	assert.Equal(t, 2, report.Plan.Count)

	require.NoError(t, netlink.RouteDel(&netlink.Route{Dst: network.IPNet(netip.MustParsePrefix("10.2.0.0/16"))}))
	assert.Equal(t, []string{"route 10.2.0.0/16 via 172.16.1.2"}, v.done().Done, "drift is repaired")

	v.want("10.2.0.0/16", "user")
	v.done()
	v.routes("10.2.0.0/16 via 172.16.1.2" + ours)
	v.want("10.2.0.0/16", "down")
	assert.Equal(t, []string{"remove route 10.2.0.0/16 via 172.16.1.2"}, v.done().Done)
	v.routes()
}

// A watch on the kernel's routes shows that one that is replaced is at no moment away.
func TestARouteIsReplacedAtOnce(t *testing.T) {
	v := newVM(t)
	v.want("10.2.0.0/16", "172.16.1.1")
	v.done()
	updates, done := make(chan netlink.RouteUpdate, 100), make(chan struct{})
	defer close(done)
	require.NoError(t, netlink.RouteSubscribe(updates, done))
	v.want("10.2.0.0/16", "172.16.1.2")
	v.done()
	v.want("10.2.0.0/16", "172.16.1.2", "10.9.0.0/16", "172.16.1.1")
	v.done()
	for u := range updates {
		assert.NotEqual(t, uint16(unixDelRoute), u.Type)
		if u.Dst.String() == "10.9.0.0/16" {
			return
		}
	}
}

const unixDelRoute = 25 // RTM_DELROUTE

func TestRoutesOfOthers(t *testing.T) {
	v := newVM(t)
	netns.Route(t, "10.1.0.0/16", "172.16.1.5")
	netns.Route(t, "10.2.0.0/16", "172.16.1.5")
	netns.Route(t, "10.3.0.0/16", "172.16.1.5")
	netns.Route(t, "10.4.0.0/16", "172.16.1.5")
	v.want("10.2.0.0/16", "172.16.1.5", "10.3.0.0/16", "172.16.1.1", "10.4.0.0/16", "down")
	v.done()
	v.routes("10.1.0.0/16 via 172.16.1.5 proto 4", "10.2.0.0/16 via 172.16.1.5 proto 4", "10.3.0.0/16 via 172.16.1.1"+ours)
	v.want()
	v.done()
	v.routes("10.1.0.0/16 via 172.16.1.5 proto 4", "10.2.0.0/16 via 172.16.1.5 proto 4")
}

func TestWithdrawnRoutes(t *testing.T) {
	v := newVM(t)
	v.want("10.2.0.0/16", "172.16.1.1", "10.3.0.0/16", "172.16.1.1")
	v.done()
	both := []string{"10.2.0.0/16 via 172.16.1.1" + ours, "10.3.0.0/16 via 172.16.1.1" + ours}
	v.want("10.2.0.0/16", "172.16.1.1")
	v.wanted.Whole = false
	v.done()
	v.routes(both...)
	v.want("10.2.0.0/16", "172.16.1.1", "10.3.0.0/160", "172.16.1.1")
	assert.Contains(t, v.done().Plan.Notes, frame.Held("routes", []frame.Note{{Kind: frame.LeftOut, About: "10.3.0.0/160"}}))
	v.routes(both...)
	v.unknown = frame.ErrUnknown
	require.ErrorIs(t, v.apply().Err, frame.ErrUnknown)
	v.routes(both...)
	v.unknown = nil
	v.want("10.2.0.0/16", "172.16.1.1")
	assert.Equal(t, []string{"remove route 10.3.0.0/16 via 172.16.1.1"}, v.done().Done)
	v.routes(both[0])
}

// The management interface, the default route and what comes with an address stay as they are.
func TestWhatIsNotTouched(t *testing.T) {
	v := newVM(t)
	netns.Route(t, "10.5.0.0/16", "10.99.0.1")
	v.want("10.5.0.0/16", "down", "10.99.0.0/24", "172.16.1.1", "172.16.1.0/24", "172.16.1.1", "2001:db8:1::/64", "down",
		"0.0.0.0/0", "172.16.1.1", "::/0", "down", "10.2.0.0/16", "172.16.1.1")
	report := v.done()
	v.routes("10.5.0.0/16 via 10.99.0.1 proto 4", "10.2.0.0/16 via 172.16.1.1"+ours)
	var notes []string
	for _, n := range report.Plan.Notes {
		notes = append(notes, fmt.Sprint(n.Kind, ": ", n.About, " ", n.Why))
	}
	assert.Equal(t, []string{
		"left out: 0.0.0.0/0 routeNetwork is the default route, which belongs to the management of the machine",
		"left out: ::/0 routeNetwork is the default route, which belongs to the management of the machine",
		"warning: 10.5.0.0/16 leads over the management interface eth0 (it carries the default route), and is left alone",
		"warning: 10.99.0.0/24 comes with an address of eth0, and is left alone",
		"warning: 172.16.1.0/24 comes with an address of eth1, and is left alone",
		"warning: 2001:db8:1::/64 comes with an address of eth1, and is left alone",
	}, notes)
	v.want("10.5.0.0/16", "172.16.1.1")
	v.done()
	v.routes("10.5.0.0/16 via 10.99.0.1 proto 4")
}

func TestANextHopThatIsNotThereYetIsWaitedFor(t *testing.T) {
	v := newVM(t)
	v.want("10.2.0.0/16", "172.16.2.1", "10.3.0.0/16", "172.16.1.1", "10.4.0.0/16", "172.16.1.10")
	notes := v.done().Plan.Notes
	v.routes("10.3.0.0/16 via 172.16.1.1" + ours)
	assert.Equal(t, []frame.Note{
		{Kind: frame.Waiting, About: "10.2.0.0/16", Why: "next hop 172.16.2.1 is on no network of this machine yet"},
		{Kind: frame.LeftOut, About: "10.4.0.0/16", Why: "routeNextHop 172.16.1.10 is this machine's own address"},
	}, notes)
	netns.Address(t, "eth1", "172.16.2.10/24")
	v.done()
	v.routes("10.2.0.0/16 via 172.16.2.1"+ours, "10.3.0.0/16 via 172.16.1.1"+ours)
}

// A route that the kernel refuses stops no other.
func TestARouteThatFailsStopsNoOther(t *testing.T) {
	v := newVM(t)
	v.want("10.2.0.0/16", "172.16.1.255", "10.3.0.0/16", "172.16.1.1")
	report := v.apply()
	require.ErrorContains(t, report.Err, "route 10.2.0.0/16 via 172.16.1.255: ")
	v.routes("10.3.0.0/16 via 172.16.1.1" + ours)
}

func TestHostileElementsAreLeftOut(t *testing.T) {
	v := newVM(t)
	for name, e := range map[string]struct{ network, hop, about, field string }{
		"no network":           {"", "172.16.1.1", "a route without network", "routeNetwork"},
		"an option":            {"--help", "172.16.1.1", "--help", "routeNetwork"},
		"a command":            {"10.2.0.0/16; reboot", "172.16.1.1", "10.2.0.0/16; reboot", "routeNetwork"},
		"lines":                {"10.2.0.0/16\n10.3.0.0/16", "172.16.1.1", "10.2.0.0/16; 10.3.0.0/16", "routeNetwork"},
		"an address":           {"10.2.0.1", "172.16.1.1", "10.2.0.1", "routeNetwork"},
		"too long":             {"10.2.0.0/33", "172.16.1.1", "10.2.0.0/33", "routeNetwork"},
		"everything":           {"0.0.0.0/0", "172.16.1.1", "0.0.0.0/0", "routeNetwork"},
		"everything, IPv6":     {"::/0", "2001:db8:1::1", "::/0", "routeNetwork"},
		"half of everything":   {"128.0.0.0/1", "172.16.1.1", "128.0.0.0/1", "routeNetwork"},
		"too much":             {"10.0.0.0/7", "172.16.1.1", "10.0.0.0/7", "routeNetwork"},
		"all of IPv6":          {"2000::/3", "2001:db8:1::1", "2000::/3", "routeNetwork"},
		"too much of IPv6":     {"2001::/15", "2001:db8:1::1", "2001::/15", "routeNetwork"},
		"the metadata address": {"169.254.169.254/32", "172.16.1.1", "169.254.169.254/32", "routeNetwork"},
		"link-local":           {"fe80::/64", "2001:db8:1::1", "fe80::/64", "routeNetwork"},
		"loopback":             {"127.0.0.0/8", "172.16.1.1", "127.0.0.0/8", "routeNetwork"},
		"multicast":            {"224.0.0.0/4", "172.16.1.1", "224.0.0.0/4", "routeNetwork"},
		"IPv4 in IPv6":         {"::ffff:10.2.0.0/112", "2001:db8:1::1", "::ffff:10.2.0.0/112", "routeNetwork"},
		"no hop":               {"10.2.0.0/16", "", "10.2.0.0/16", "routeNextHop"},
		"a path as hop":        {"10.2.0.0/16", "../down", "10.2.0.0/16", "routeNextHop"},
		"an option as hop":     {"10.2.0.0/16", "-f", "10.2.0.0/16", "routeNextHop"},
		"another version":      {"10.2.0.0/16", "2001:db8:1::1", "10.2.0.0/16", "routeNextHop"},
		"loopback as hop":      {"10.2.0.0/16", "127.0.0.1", "10.2.0.0/16", "routeNextHop"},
		"multicast as hop":     {"10.2.0.0/16", "224.0.0.1", "10.2.0.0/16", "routeNextHop"},
		"broadcast as hop":     {"10.2.0.0/16", "255.255.255.255", "10.2.0.0/16", "routeNextHop"},
		"nothing as hop":       {"10.2.0.0/16", "0.0.0.0", "10.2.0.0/16", "routeNextHop"},
		"link-local as hop":    {"2001:db8:2::/48", "fe80::1", "2001:db8:2::/48", "routeNextHop"},
		"a zone":               {"2001:db8:2::/48", "2001:db8:1::1%eth1", "2001:db8:2::/48", "routeNextHop"},
		"twice":                {"10.9.0.0/16", "172.16.1.2", "10.9.0.0/16", "routeNetwork"},
	} {
		t.Run(name, func(t *testing.T) {
			v.t = t
			v.want("10.9.0.0/16", "172.16.1.1", e.network, e.hop)
			report := v.apply()
			require.NoError(t, report.Err)
			require.Len(t, report.Plan.Notes, 1)
			assert.Equal(t, frame.LeftOut, report.Plan.Notes[0].Kind)
			assert.Equal(t, e.about, report.Plan.Notes[0].About)
			assert.Regexp(t, "^"+e.field+" ", report.Plan.Notes[0].Why)
			v.routes("10.9.0.0/16 via 172.16.1.1" + ours)
		})
	}
}

func TestBitsBehindThePrefixDoNotCount(t *testing.T) {
	v := newVM(t)
	v.want("10.2.3.4/16", "172.16.1.1", "2001:db8:2::1/48", "2001:db8:1::1")
	report := v.done()
	v.routes("10.2.0.0/16 via 172.16.1.1"+ours, "2001:db8:2::/48 via 2001:db8:1::1"+ours)
	assert.Equal(t, []frame.Note{
		{Kind: frame.Warning, About: "10.2.0.0/16", Why: "routeNetwork is given as 10.2.3.4/16"},
		{Kind: frame.Warning, About: "2001:db8:2::/48", Why: "routeNetwork is given as 2001:db8:2::1/48"},
	}, report.Plan.Notes)
}

// The guest's route counts, and not one that stands behind another.
func TestAnotherRouteToTheSameNetwork(t *testing.T) {
	for name, c := range map[string]struct{ network, hop, address, theirs string }{
		"IPv4": {"10.2.0.0/16", "172.16.1.1", "10.2.0.7", "172.16.1.5"},
		"IPv6": {"2001:db8:9::/48", "2001:db8:1::1", "2001:db8:9::7", "2001:db8:1::5"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			add := func(priority int, how func(*netlink.Route) error) {
				require.NoError(t, how(&netlink.Route{Dst: network.IPNet(netip.MustParsePrefix(c.network)),
					Gw: netip.MustParseAddr(c.theirs).AsSlice(), Priority: priority, Protocol: unix.RTPROT_STATIC}))
			}
			by := func() string {
				list, err := netlink.RouteGet(netip.MustParseAddr(c.address).AsSlice())
				require.NoError(t, err)
				return list[0].Gw.String()
			}
			add(100, netlink.RouteAdd)
			v.want(c.network, c.hop)
			assert.Len(t, v.done().Done, 1)
			assert.Equal(t, c.hop, by())
			v.want()
			v.done()
			assert.Equal(t, c.theirs, by(), "it was left as it was")
			v.want(c.network, c.theirs)
			assert.Empty(t, v.done().Done)
		})
	}
}

func TestARouteThatSomebodyPutsBeforeTheGuests(t *testing.T) {
	v := newVM(t)
	v.want("10.2.0.0/16", "172.16.1.1")
	v.done()
	run(t, "ip", "route", "prepend", "10.2.0.0/16", "via", "172.16.1.5")
	report := v.done()
	assert.Empty(t, report.Done)
	assert.Zero(t, report.Plan.Count)
	assert.Equal(t, []frame.Note{{Kind: frame.Warning, About: "10.2.0.0/16",
		Why: "goes by 172.16.1.5: somebody has put another route before the guest's"}}, report.Plan.Notes)
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	out, err := exec.Command(needs.Program(t, program, "iproute2"), args...).CombinedOutput()
	require.NoError(t, err, string(out))
}

func thousands(hop string) (list []string) {
	for i := range 4000 {
		list = append(list, fmt.Sprintf("10.%d.%d.0/24", 100+i/256, i%256), hop)
	}
	return list
}

func TestThousandsOfRoutes(t *testing.T) {
	v := newVM(t)
	v.want(thousands("172.16.1.1")...)
	assert.Equal(t, 4000, v.done().Plan.Count)
	v.want(thousands("172.16.1.2")...)
	assert.Len(t, v.done().Done, 4000)
	assert.Len(t, netns.Routes(t), 4001)
	v.want()
	v.done()
	v.routes()
}

// Stopped after each of its steps, the guest ends where it was to end.
func TestStoppedAfterAnyStep(t *testing.T) {
	steps := 0
	for stop := 0; stop == 0 || stop <= steps; stop++ {
		v := newVM(t)
		away := false
		v.heads.Reach = func(context.Context) error {
			if away {
				return errCutOff
			}
			return nil
		}
		netns.Route(t, "10.1.0.0/16", "172.16.1.5")
		v.want("10.2.0.0/16", "172.16.1.1", "10.3.0.0/16", "172.16.1.1", "2001:db8:2::/48", "2001:db8:1::1")
		v.done()
		before := netns.Routes(t)
		v.want("10.1.0.0/16", "172.16.1.1", "10.2.0.0/16", "172.16.1.2", "10.4.0.0/16", "172.16.1.1", "2001:db8:2::/48", "2001:db8:1::2")
		plan, err := v.guest().Plan(t.Context())
		require.NoError(t, err)
		steps = len(plan.Steps)
		require.Equal(t, 7, steps)
		for _, s := range plan.Steps[:stop] {
			require.NoError(t, s.Do(t.Context()), s.Text)
		}
		if stop > 0 && stop < steps { // cut off, as it turns out after the start
			away = true
			require.ErrorIs(t, v.apply().Err, errCutOff)
			assert.ElementsMatch(t, before, netns.Routes(t))
			away = false
		}
		v.done()
		v.routes("10.1.0.0/16 via 172.16.1.1"+ours, "10.2.0.0/16 via 172.16.1.2"+ours, "10.4.0.0/16 via 172.16.1.1"+ours, "2001:db8:2::/48 via 2001:db8:1::2"+ours)
	}
}

func TestElsewhereNothingIsTouched(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "vm", nil)
	require.NoError(t, err)
	defer m.Close()
	module := routes.New(m, func() (frame.Wanted[scope.Route], error) { panic("nobody needs to know") }, network.Heads{})
	_, err = module.Plan(t.Context())
	require.ErrorIs(t, err, frame.ErrNeedsRoot)
	assert.Equal(t, "routes", module.Name())
}
