package guest_test

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

// running is a guest that runs.
type running struct {
	*machine
	seen  chan report
	ended chan error
	end   context.CancelFunc
}

func (m *machine) start() *running {
	ctx, cancel := context.WithCancel(m.Context())
	r := &running{m, make(chan report, 1), make(chan error, 1), cancel}
	go func() {
		r.ended <- m.Guest.Run(ctx, func(st guest.Status) {
			select { // the latest one is enough
			case <-r.seen:
			default:
			}
			r.seen <- m.report(st)
		})
	}()
	return r
}

// until waits for a report with that many hosts and keys.
func (r *running) until(others int) {
	r.Helper()
	r.report(func(report report) bool {
		return len(report.Hosts) == others && report.Lines == others && report.Keys == others
	})
}

// report waits for a report that is as wanted.
func (r *running) report(wanted func(report) bool) {
	r.Helper()
	end := time.After(time.Minute)
	for {
		select {
		case report := <-r.seen:
			if wanted(report) {
				return
			}
		case <-end:
			require.FailNow(r, "no such report")
		}
	}
}

func (r *running) stop() {
	r.Helper()
	r.end()
	require.NoError(r, <-r.ended)
}

func TestVMsThatRunLearnOfEachOther(t *testing.T) {
	s := newSlice(t)
	var all []*running
	for i := range 3 {
		key := fmt.Sprintf("vm%d", i)
		s.placeHolders(key, fmt.Sprintf("workers/%d", i), "all")
		m := s.boot(s.userData(key, fmt.Sprintf("workers-%d", i), "all"), "")
		address := netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", i))
		m.address.Store(&address)
		all = append(all, m.start())
	}
	for _, r := range all {
		r.until(2)
	}
	late := s.peer("late", "late", "10.0.0.9", "all")
	for i, r := range all {
		r.until(3)
		assert.Contains(t, r.file(hosts), "10.0.0.9\tlate\n")
		assert.Contains(t, r.file(keys), late)
		assert.NotContains(t, r.file(hosts), fmt.Sprintf("workers-%d\n", i))
		r.stop()
	}
}

// A VM that has learned everything asks nobody anything, but for one request that a head holds, however often it looks at itself.
func TestASettledVMAsksNothing(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	r := m.start()
	r.until(1)
	calls := func() int { return s.heads.Calls(0, "") - s.heads.Calls(0, "writeScope") }
	s.put("hostsall", "marker", string(scope.Encode(scope.Host{HostName: "marker", IP: "10.0.0.7"})))
	r.report(func(report report) bool { return len(report.Hosts) == 2 })
	before, lists := calls(), s.heads.Calls(0, "enumerateScope")
	s.put("hostsall", "marker", string(scope.Encode(scope.Host{HostName: "marker", IP: "10.0.0.8"})))
	r.report(func(report report) bool { return report.Hosts[1].IP == "10.0.0.8" })
	assert.LessOrEqual(t, calls()-before, 2, "one answer, and one more question")
	assert.Equal(t, lists, s.heads.Calls(0, "enumerateScope"))
	r.stop()
}

// Heads as deployed are asked for whole lists, every now and then.
func TestVMsLearnFromDeployedHeadsToo(t *testing.T) {
	s := newSliceAt(t, comettest.Start(t, 1, server.WithoutExtensions()))
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	r := m.start()
	r.until(1)
	s.peer("2", "b", "10.0.0.3", "all")
	r.until(2)
	r.stop()
	assert.Zero(t, s.heads.Calls(0, "watchScope"))
}

// One answer that makes no sense does not make a VM deaf.
func TestRunGoesOnAfterARefusal(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	s.heads.Set(0, comettest.Answer(400, "application/json", `{"status":"status","message":"no","version":"1"}`).On("watchScope").Times(1))
	r := m.start()
	r.until(1)
	r.stop()
}

func TestRunGoesOnAfterAHeadWasAway(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own", "all")
	m := s.boot(s.userData("own", "own", "all"), "")
	s.peer("1", "a", "10.0.0.2", "all")
	s.heads.Set(0, comettest.Status(503).Times(4))
	r := m.start()
	r.until(1)
	r.stop()
	assert.Contains(t, m.log.String(), "no head tells of the slice; what is known stays")
}

// What cannot even be looked at leaves nothing to pause with, and says when it is tried again all the same.
func TestWhatCannotBeLookedAtIsTriedAgain(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	m.write(hosts+"/is a folder", "")
	r := m.start()
	r.report(func(report) bool {
		st := m.Status().Module("hosts")
		return st.State == guest.StateFailed && len(st.Plan) == 0 && !st.Retry.IsZero()
	})
	r.stop()
	_, err := m.once()
	require.Error(t, err)
	assert.True(t, m.Status().Module("hosts").Retry.IsZero(), "no pass follows")
}

// waiting is a store that, once armed, says when it is asked what changed and keeps whoever asks.
type waiting struct {
	server.Store
	armed atomic.Bool
	asked chan struct{}
}

func (w *waiting) Since(ctx context.Context, id scope.ContextID, read scope.Token, since uint64, families ...scope.Family) (server.Changes, error) {
	if !w.armed.Load() {
		return w.Store.Since(ctx, id, read, since, families...)
	}
	w.asked <- struct{}{}
	<-ctx.Done()
	return server.Changes{}, ctx.Err()
}

func TestRunEndsWithItsContext(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	defer store.Close()
	wait := &waiting{Store: store, asked: make(chan struct{}, 10)}
	s := newSliceAt(t, comettest.StartOn(t, 1, wait))
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	m.pass()
	before := state(t, m.root)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, m.Guest.Run(ended, nil), "before the first pass")

	wait.armed.Store(true)
	r := m.start()
	<-wait.asked
	r.stop() // in the middle of a call
	assert.Equal(t, before, state(t, m.root))
	assert.NotContains(t, m.log.String(), "level=WARN", "being ended is no failure")
}

// Storage waits for portals: it comes behind all that must not wait for it, and before scripts, which may need its disks.
func TestStorageComesBehindWhatMustNotWait(t *testing.T) {
	names := guest.ModuleNames()
	assert.Equal(t, []string{"storage", "scripts"}, names[len(names)-2:])
}
