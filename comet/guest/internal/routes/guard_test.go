package routes_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

var errCutOff = errors.New("no head answers")

func TestAChangeThatCutsOffTheHeadsIsTakenBack(t *testing.T) {
	v := newVM(t)
	head := netip.MustParseAddr("192.0.2.7")
	netns.Route(t, "192.0.3.0/24", "172.16.1.5")
	v.want("192.0.4.0/24", "172.16.1.1", "192.0.5.0/24", "172.16.1.1")
	v.done()
	before := netns.Routes(t)
	v.heads.Reach = func(context.Context) error {
		list, err := netlink.RouteGet(head.AsSlice())
		require.NoError(t, err)
		if list[0].LinkIndex != netns.Link(t, "eth0").Attrs().Index {
			return errCutOff
		}
		return nil
	}
	v.want("192.0.2.0/24", "172.16.1.1", "192.0.3.0/24", "172.16.1.1", "192.0.4.0/24", "172.16.1.2")
	report := v.apply()
	require.ErrorIs(t, report.Err, errCutOff)
	assert.ElementsMatch(t, before, netns.Routes(t))
	v.want("192.0.3.0/24", "172.16.1.1", "192.0.4.0/24", "172.16.1.2")
	v.done()
	v.routes("192.0.3.0/24 via 172.16.1.1"+ours, "192.0.4.0/24 via 172.16.1.2"+ours)
}

const (
	bad        = "192.0.2.0/24"
	notes      = "/var/lib/comet-guest/vm/routes-taken-back"
	takenBack  = "taken back, since it cut off the heads"
	waitsForIt = takenBack + ", and waits for them"
)

// head is one behind the default route, which a route to bad cuts off.
type head struct {
	away   bool
	cutOff int // times
}

func (h *head) reach(context.Context) error {
	if h.away {
		return errCutOff
	}
	list, err := netlink.RouteGet(netip.MustParseAddr("192.0.2.7").AsSlice())
	if err != nil {
		return err
	}
	if eth0, err := netlink.LinkByName("eth0"); err != nil || list[0].LinkIndex != eth0.Attrs().Index {
		h.cutOff++
		return errCutOff
	}
	return nil
}

// An hour is over when nothing says any more how long to wait.
func anHourLater(t *testing.T) {
	t.Helper()
	untilThen(t, -time.Second)
}

// untilThen lets what was taken back wait until a time from now.
func untilThen(t *testing.T, d time.Duration) {
	t.Helper()
	text, err := os.ReadFile(notes)
	require.NoError(t, err)
	over := `"Until":"` + time.Now().Add(d).Format(time.RFC3339) + `"`
	netns.Write(t, notes, regexp.MustCompile(`"Until":"[^"]*"`).ReplaceAllString(string(text), over), 0o600)
}

// Applied where no head answers, it would stay for good: nothing that heads say could ever arrive again.
func TestWhatWasTakenBackWaitsForTheHeads(t *testing.T) {
	v, h := newVM(t), &head{}
	v.heads.Reach = h.reach
	v.want("10.2.0.0/16", "172.16.1.1")
	v.done()
	good := "10.2.0.0/16 via 172.16.1.1" + ours
	v.want("10.2.0.0/16", "172.16.1.1", bad, "172.16.1.1")
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	v.routes(good)
	for range 3 {
		report := v.apply()
		require.ErrorContains(t, report.Err, bad+" via 172.16.1.1: "+takenBack+"; tried again after ")
		assert.Empty(t, report.Done)
	}
	assert.Equal(t, 1, h.cutOff, "contact does not flap")

	// The machine starts again, and no head answers. What was well is applied, and at any time what was not stays away.
	require.NoError(t, netlink.RouteDel(&netlink.Route{Dst: network.IPNet(netip.MustParsePrefix("10.2.0.0/16"))}))
	h.away = true
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	v.routes(good)
	anHourLater(t)
	require.ErrorContains(t, v.apply().Err, waitsForIt)
	v.routes(good)
	h.away = false
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	assert.Equal(t, 2, h.cutOff, "it is tried again, once")
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	assert.Equal(t, 2, h.cutOff)
	v.routes(good)

	v.want("10.2.0.0/16", "172.16.1.1")
	v.done()
	v.want("10.2.0.0/16", "172.16.1.1", bad, "172.16.1.1")
	require.ErrorContains(t, v.apply().Err, "no head answers")
	assert.Equal(t, 3, h.cutOff, "somebody has wanted something else meanwhile")
	v.want(bad, "172.16.1.2")
	require.ErrorContains(t, v.apply().Err, "no head answers")
	assert.Equal(t, 4, h.cutOff)
}

// A wait that is longer than any ever is was noted by a clock that has been set back since.
func TestWhatWasTakenBackByAClockThatIsSetBack(t *testing.T) {
	v, h := newVM(t), &head{}
	v.heads.Reach = h.reach
	v.want(bad, "172.16.1.1")
	require.ErrorContains(t, v.apply().Err, "no head answers")
	untilThen(t, time.Hour-time.Minute)
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	assert.Equal(t, 1, h.cutOff)
	untilThen(t, 5*time.Hour)
	require.ErrorContains(t, v.apply().Err, "no head answers")
	assert.Equal(t, 2, h.cutOff, "it is tried again")
}

// What was taken back only for what came with it is applied as soon as that is not wanted any more.
func TestWhatWasTakenBackTogether(t *testing.T) {
	v, h := newVM(t), &head{}
	v.heads.Reach = h.reach
	v.want(bad, "172.16.1.1", "10.2.0.0/16", "172.16.1.1")
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	v.want(bad, "172.16.1.1", "10.2.0.0/16", "172.16.1.1", "10.3.0.0/16", "172.16.1.1")
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	v.routes("10.3.0.0/16 via 172.16.1.1" + ours)
	assert.Equal(t, 1, h.cutOff)
	v.want("10.2.0.0/16", "172.16.1.1", "10.3.0.0/16", "172.16.1.1")
	v.done()
	v.routes("10.2.0.0/16 via 172.16.1.1"+ours, "10.3.0.0/16 via 172.16.1.1"+ours)
}

// Nobody knows which of several has cut off the heads, until each half of them has been tried without the other.
func TestGoodRoutesAreToldFromABadOne(t *testing.T) {
	for _, good := range [][2]string{{"10.2.0.0/16", "10.3.0.0/16"}, {"10.2.0.0/16", "203.0.113.0/24"}, {"203.0.113.0/24", "203.0.114.0/24"}} {
		v, h := newVM(t), &head{}
		v.heads.Reach = h.reach
		v.want(good[0], "172.16.1.1", good[1], "172.16.1.1", bad, "172.16.1.1")
		require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
		report := v.apply()
		assert.Zero(t, report.Plan.Count, "none is there")
		v.routes()
		for tries := 0; report.Plan.Count < 2; tries++ {
			require.Less(t, tries, 2)
			anHourLater(t)
			for range 2 { // what was cut off, and what follows from it at once
				report = v.apply()
				require.ErrorIs(t, report.Err, network.ErrTakenBack)
			}
		}
		assert.LessOrEqual(t, h.cutOff, 3)
		was := h.cutOff
		report = v.apply()
		require.EqualError(t, errors.New(untilWhen.ReplaceAllString(report.Err.Error(), "")), bad+" via 172.16.1.1: "+takenBack)
		assert.Equal(t, was, h.cutOff, "it rests alone")
		v.routes(good[0]+" via 172.16.1.1"+ours, good[1]+" via 172.16.1.1"+ours)
	}
}

var untilWhen = regexp.MustCompile(`; tried again after .*`)

// Where the heads do not come back with what was before, they may have gone by themselves.
func TestHeadsThatGoAwayBesideAChange(t *testing.T) {
	v := newVM(t)
	asked, away := 0, true
	v.heads.Reach = func(context.Context) error {
		if asked++; asked > 1 && away {
			return errCutOff
		}
		return nil
	}
	v.want("10.2.0.0/16", "172.16.1.1")
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	require.ErrorContains(t, v.apply().Err, waitsForIt)
	v.routes()
	away = false
	v.done()
	v.routes("10.2.0.0/16 via 172.16.1.1" + ours)
}

// A machine that starts again in the middle of a change does not know whether it was well.
func TestARebootInTheMiddle(t *testing.T) {
	v, h := newVM(t), &head{}
	v.heads.Reach = h.reach
	v.want(bad, "172.16.1.1")
	plan, err := v.guest().Plan(t.Context())
	require.NoError(t, err)
	for _, s := range plan.Steps[:2] {
		require.NoError(t, s.Do(t.Context()))
	}
	netns.Reboot(t)
	require.NoError(t, netlink.RouteDel(&netlink.Route{Dst: network.IPNet(netip.MustParsePrefix(bad))}))
	h.away = true
	for range 2 {
		require.ErrorContains(t, v.apply().Err, waitsForIt)
		v.routes()
	}
	h.away = false
	require.ErrorIs(t, v.apply().Err, network.ErrTakenBack)
	v.routes()
	assert.Equal(t, 1, h.cutOff)
}

// A guest that ends when it has gone back, and before it has seen whether that helped, leaves a change that was not well: that heads answer
// the next one does not speak for it.
func TestEndedAfterGoingBack(t *testing.T) {
	for name, end := range map[string]func(context.CancelFunc){
		"killed":  func(context.CancelFunc) { runtime.Goexit() },
		"stopped": func(stop context.CancelFunc) { stop() },
	} {
		t.Run(name, func(t *testing.T) {
			v, h := newVM(t), &head{}
			v.want(bad, "172.16.1.1")
			asked := 0
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			v.heads.Reach = func(ctx context.Context) error {
				if asked++; asked == 3 {
					end(stop)
				}
				return errors.Join(ctx.Err(), h.reach(ctx))
			}
			plan, err := v.guest().Plan(t.Context())
			require.NoError(t, err)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for _, s := range plan.Steps {
					_ = s.Do(ctx)
				}
			}()
			<-ended
			require.Equal(t, 3, asked)
			v.routes()

			v.heads.Reach = h.reach
			report := v.apply()
			require.ErrorIs(t, report.Err, network.ErrTakenBack)
			v.routes()
			require.ErrorContains(t, v.apply().Err, bad+" via 172.16.1.1: "+takenBack+"; tried again after ")
			v.routes()
			assert.Equal(t, 1, h.cutOff, "contact does not flap")
		})
	}
}

// So does one in whose place the machine starts again: what was noted by then stands.
func TestARebootAfterGoingBack(t *testing.T) {
	v, h := newVM(t), &head{}
	v.want(bad, "172.16.1.1")
	ctx, stop := context.WithCancel(t.Context())
	asked := 0
	v.heads.Reach = func(ctx context.Context) error {
		if asked++; asked == 3 {
			stop()
		}
		return errors.Join(ctx.Err(), h.reach(ctx))
	}
	plan, err := v.guest().Plan(t.Context())
	require.NoError(t, err)
	for _, s := range plan.Steps {
		_ = s.Do(ctx)
	}
	netns.Reboot(t)
	v.heads.Reach = h.reach
	require.ErrorContains(t, v.apply().Err, bad+" via 172.16.1.1: "+takenBack+"; tried again after ")
	v.routes()
	assert.Equal(t, 1, h.cutOff)
}

// A route that would lead to a head is not tried at all.
func TestNoRouteTakesInAHead(t *testing.T) {
	v := newVM(t)
	v.heads.Addresses = func() []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("10.99.0.7"), netip.MustParseAddr("2001:db8:7::7")}
	}
	v.want(bad, "172.16.1.1", "10.99.0.0/25", "172.16.1.1", "10.96.0.0/12", "172.16.1.1", "2001:db8:7::/48", "2001:db8:1::1")
	assert.Equal(t, []frame.Note{
		{Kind: frame.LeftOut, About: "10.99.0.0/25", Why: "routeNetwork takes in the head 10.99.0.7, which is reached over the management interface eth0"},
		{Kind: frame.LeftOut, About: bad, Why: "routeNetwork takes in the head 192.0.2.7, which is reached over the management interface eth0"},
		{Kind: frame.LeftOut, About: "2001:db8:7::/48", Why: "routeNetwork takes in the head 2001:db8:7::7, to which nothing leads yet"},
	}, v.done().Plan.Notes)
	v.routes("10.96.0.0/12 via 172.16.1.1" + ours) // behind that of the interface
}
