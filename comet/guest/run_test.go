package guest_test

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"

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
	seen  chan guest.Report
	ended chan error
	end   context.CancelFunc
}

func (m *machine) start() *running {
	ctx, cancel := context.WithCancel(m.Context())
	r := &running{m, make(chan guest.Report), make(chan error, 1), cancel}
	go func() {
		r.ended <- m.Guest.Run(ctx, func(report guest.Report) {
			select {
			case r.seen <- report:
			case <-ctx.Done():
			}
		})
	}()
	return r
}

// until waits for a report with that many hosts and keys.
func (r *running) until(others int) {
	r.Helper()
	for {
		select {
		case report := <-r.seen:
			if len(report.Hosts) == others && report.Keys == others {
				return
			}
		case <-r.Context().Done():
			require.FailNow(r, "the test ended before")
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
		m.Address = netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", i))
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

func TestRunGoesOnAfterAHeadWasAway(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own", "all")
	m := s.boot(s.userData("own", "own", "all"), "")
	s.peer("1", "a", "10.0.0.2", "all")
	s.heads.Set(0, comettest.Status(503).Times(20))
	r := m.start()
	r.until(1)
	r.stop()
	assert.Contains(t, m.log.String(), "level=WARN msg=pass error=")
}

// waiting is a store that, once armed, says when a list is asked for and keeps whoever asks.
type waiting struct {
	server.Store
	armed atomic.Bool
	asked chan struct{}
}

func (w *waiting) List(ctx context.Context, id scope.ContextID, read scope.Token, family scope.Family) (server.Listing, error) {
	if !w.armed.Load() {
		return w.Store.List(ctx, id, read, family)
	}
	w.asked <- struct{}{}
	<-ctx.Done()
	return server.Listing{}, ctx.Err()
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
	assert.NotContains(t, m.log.String(), "msg=pass", "being ended is no failure")
}
