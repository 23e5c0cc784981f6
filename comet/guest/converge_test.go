package guest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

// crowd is guests of one slice, each on a machine and with a client of its own.
type crowd struct {
	slice   *slice
	every   time.Duration
	running sync.WaitGroup
	end     context.CancelFunc
	all     chan int // who knows all the others
}

// member is one of the crowd. Its address is not known before it has come up.
type member struct {
	up      chan struct{}
	guest   *guest.Guest
	address netip.Addr
}

func (m *member) ownAddress() (netip.Addr, error) {
	select {
	case <-m.up:
		return m.address, nil
	default:
		return netip.Addr{}, nil
	}
}

// start lets n guests run.
func (c *crowd) start(tb testing.TB, n int) (members []*member) {
	tb.Helper()
	c.all = make(chan int, n)
	ctx, cancel := context.WithCancel(context.Background())
	c.end = cancel
	for i := range n {
		key := fmt.Sprintf("vm-%03d", i)
		for family, value := range map[string][]byte{"hostsall": scope.Encode(scope.Host{HostName: key}), "pubkeysall": scope.Encode(scope.PubKey{})} {
			_, err := c.slice.client.Write(tb.Context(), scope.MustName("slice", family, key), c.slice.tokens(), value)
			require.NoError(tb, err)
		}
		m := &member{up: make(chan struct{}), address: netip.AddrFrom4([4]byte{10, 0, 1, byte(i)})}
		members = append(members, m)
		self := c.slice.userData(key, key, "all")
		client, err := guest.Connect(self, "", comet.WithAttemptTimeout(time.Minute))
		require.NoError(tb, err)
		m.guest, err = guest.New(guest.Settings{Root: tb.TempDir(), Instance: key, Every: c.every, Settled: c.every, Address: m.ownAddress,
			Logger: slog.New(slog.DiscardHandler), Modules: map[string]guest.Mode{"hostname": guest.Off}}, guest.Member{Client: client, Self: self})
		require.NoError(tb, err)
		var told sync.Once
		c.running.Go(func() {
			_ = m.guest.Run(ctx, func(st guest.Status) {
				if st.Module("hosts").Count == n-1 && st.Module("pubkeys").Count == n-1 {
					told.Do(func() { c.all <- i })
				}
			})
			_, _ = m.guest.Close(), client.Close()
		})
	}
	return members
}

func (c *crowd) stop() { c.end(); c.running.Wait() }

// publish brings the guests up, but for the last one, waits until all the others know each other's keys, and then brings up the last:
// that is when the clock starts. It returns how long it takes until everybody knows everybody.
func (c *crowd) publish(tb testing.TB, members []*member) time.Duration {
	tb.Helper()
	last := len(members) - 1
	for _, m := range members[:last] {
		close(m.up)
	}
	c.await(tb, fmt.Sprintf("hosts of all but one of %d", len(members)), func() bool {
		for i, m := range members {
			want := last - 1
			if i == last {
				want = last
			}
			if m.guest.Status().Module("hosts").Count < want {
				return false
			}
		}
		return true
	})
	close(members[last].up)
	family := scope.MustName("slice", "hostsall", fmt.Sprintf("vm-%03d", last))
	c.await(tb, "the last one's address", func() bool {
		e, err := c.slice.client.Read(tb.Context(), family, c.slice.read)
		return err == nil && string(e.Value) != string(scope.Encode(scope.Host{HostName: family.Key.String()}))
	})
	start := time.Now()
	end := time.After(2 * time.Minute)
	for range members {
		select {
		case <-c.all:
		case <-end:
			require.FailNow(tb, "somebody does not know all")
		}
	}
	return time.Since(start)
}

// await asks until something is so.
func (c *crowd) await(tb testing.TB, what string, so func() bool) {
	tb.Helper()
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	end := time.After(2 * time.Minute)
	for !so() {
		select {
		case <-ticks.C:
		case <-end:
			require.FailNow(tb, "waited in vain for "+what)
		}
	}
}

// What a hundred guests do grows with the square of their number: under the race detector, which makes it ten times as long, they are fewer.
func TestAHundredGuestsLearnOfEachOther(t *testing.T) {
	n := 100
	if needs.Raced {
		n = 25
	}
	for name, options := range map[string][]server.Option{"told": nil, "asking": {server.WithoutExtensions()}} {
		t.Run(name, func(t *testing.T) {
			c := &crowd{slice: newSliceAt(t, comettest.Start(t, 1, options...)), every: 2 * time.Second}
			members := c.start(t, n)
			defer c.stop()
			t.Logf("everybody knew everybody %s after the last one had published", c.publish(t, members))
		})
	}
}

// BenchmarkGuestsConverge reports how long after the last of a hundred guests has published all know all, where the head tells of changes,
// and where it is asked every two seconds.
func BenchmarkGuestsConverge(b *testing.B) {
	for name, options := range map[string][]server.Option{"told": nil, "asking": {server.WithoutExtensions()}} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				heads := comettest.Start(b, 1, options...)
				id := scope.MustName("slice", "any", "any").Context
				c := &crowd{slice: &slice{nil, heads, heads.Client(), id, scope.NewToken(), scope.NewToken()}, every: 2 * time.Second}
				members := c.start(b, 100)
				took := c.publish(b, members)
				c.stop()
				b.ReportMetric(float64(took.Milliseconds()), "ms")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
