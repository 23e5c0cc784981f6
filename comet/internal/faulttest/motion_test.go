package faulttest_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/internal/faulttest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/contents"
)

func TestFaultSlicesOnBolt(t *testing.T) {
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		store, restarts := openBolt(t, s)
		heads := comettest.StartOn(t, 3, store)
		playSlices(t, s, stage{heads: heads, store: store.Now, changers: 2}, restarts, faulttest.HeadParts(heads)...)
	})
}

// Without conditional changes two who change an entry at the same time may lose a change; one alone loses none.
func TestFaultSlicesOnHeadsAsDeployed(t *testing.T) {
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		store, restarts := openBolt(t, s)
		heads := comettest.StartOn(t, 3, store, server.WithoutExtensions())
		playSlices(t, s, stage{heads: heads, store: store.Now, changers: 1}, restarts, faulttest.HeadParts(heads)...)
	})
}

func TestFaultSlicesOnEtcd(t *testing.T) {
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		stores, members, networks := openEtcd(t, false)
		heads := comettest.StartEach(t, stores)
		playSlices(t, s, stage{heads: heads, store: func() server.Store { return stores[0] }, changers: 2}, members, append(faulttest.HeadParts(heads), networks...)...)
	})
}

// stage is where slices come and go.
type stage struct {
	heads    *comettest.Heads
	store    func() server.Store
	changers int    // of a VM's routes
	dir      string // of token files and the like; empty: one of the test
}

// playSlices lets two slices come and change, and one of them go, while faults strike. Afterwards everything that was done is there, and
// nothing else; and when the other one has gone too, nothing is.
func playSlices(t *testing.T, s *faulttest.Schedule, on stage, first faulttest.Part, others ...faulttest.Part) {
	heads, store := on.heads, on.store
	urls, networks := proxies(t, heads, false) // plain writes that arrive late are for histories
	identity := faulttest.NewIdentity(heads)
	dial := func() *comet.Client {
		c, err := comet.New(urls, nil, comet.WithTrust(identity), comet.WithAttemptTimeout(stepAttemptTime), comet.WithRest(5*time.Millisecond, 50*time.Millisecond))
		if err != nil {
			panic(err) // nothing about it is drawn
		}
		return c
	}
	passing, staying := newMotion(t, "passing", on.dir, s.Rand("passing"), dial), newMotion(t, "staying", on.dir, s.Rand("staying"), dial)
	stop := s.Strike(first, slices.Concat(others, networks, []faulttest.Part{identity.Part()})...)
	var both sync.WaitGroup
	for _, m := range []*motion{passing, staying} {
		m.changers = on.changers
		both.Go(func() {
			if m.play(s.More) && m == passing {
				m.delete()
			}
		})
	}
	both.Wait()
	stop()
	if t.Failed() {
		return
	}

	client := heads.Client()
	passing.check(client)
	assert.Equal(t, []string{"staying"}, contexts(t, store()), "slices that are left")
	staying.check(client)
	staying.delete()
	assert.Empty(t, contexts(t, store()), "slices that are left")
}

// play is the life of a slice until its end, which comes when no more faults do.
func (m *motion) play(more func() bool) bool {
	if !m.create(2 + m.random.IntN(2)) {
		return false
	}
	here, seed := slices.Clone(m.slice.VMs), m.random.Uint64()
	var living sync.WaitGroup
	living.Go(func() { m.live(here, seed) })
	extended := m.extend(1 + m.random.IntN(2))
	living.Wait()
	if !extended || m.t.Failed() {
		return false
	}
	m.withdraw(m.any().ReservationID)
	seed = m.random.Uint64()
	for again := true; again && !m.t.Failed(); again = more() {
		m.live(m.slice.VMs, seed)
		seed++
	}
	return !m.t.Failed()
}

// contexts are those of which anything is in the store, under whatever token.
func contexts(t *testing.T, store server.Store) (ids []string) {
	t.Helper()
	groups, err := store.(contents.Store).Groups(t.Context())
	require.NoError(t, err)
	for _, g := range groups {
		if id := g.Context.String(); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
