package faulttest_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/internal/faulttest"
	"github.com/renci-nrig/comet-go/comet/internal/headtest"
	"github.com/renci-nrig/comet-go/comet/internal/history"
)

func TestMain(m *testing.M) {
	headtest.Main()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		removePrograms()
		os.Exit(code)
	}))
}

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// How much happens in one schedule.
const (
	players  = 5
	callers  = 3
	enough   = 1000 // operations
	mostTime = 4 * time.Second
)

func TestFaultHistoriesOnBolt(t *testing.T) {
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		store, restarts := openBolt(t, s)
		heads := comettest.StartOn(t, 3, store)
		urls, networks := proxies(t, heads, true)
		playHistory(t, s, urls, heads.TLS, restarts, slices.Concat(faulttest.HeadParts(heads), networks)...)
	})
}

func TestFaultHistoriesOnEtcd(t *testing.T) {
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		stores, members, networks := openEtcd(t, true)
		heads := comettest.StartEach(t, stores)
		urls, fronts := proxies(t, heads, true)
		playHistory(t, s, urls, heads.TLS, members, slices.Concat(faulttest.HeadParts(heads), fronts, networks)...)
	})
}

// What was acknowledged is there after the process was killed, at whatever point it had reached.
func TestFaultHistoriesOfAKilledHead(t *testing.T) {
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		head := headtest.New(t)
		playHistory(t, s, head.URL, head.TLS, faulttest.Part{Name: "head", Faults: []faulttest.Fault{{Name: "is killed", Strike: head.Kill, Mend: head.Restart}}})
	})
}

// playHistory lets clients work with entries while faults strike, and checks what they saw.
func playHistory(t *testing.T, s *faulttest.Schedule, heads string, config func() *tls.Config, first faulttest.Part, others ...faulttest.Part) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var following sync.WaitGroup
	var watchers []*watcher
	quick := []comet.Option{comet.WithAttemptTimeout(attemptTime), comet.WithRest(5*time.Millisecond, 50*time.Millisecond)}
	dial := func(options ...comet.Option) *comet.Client {
		c, err := comet.New(heads, config(), options...)
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	watching, well := dial(quick...), dial()
	b := newBoard(t.Name(), nil)
	b.opened = func(g *group) {
		w := newWatcher(players+callers+g.index%2, b, g)
		watchers = append(watchers, w)
		following.Go(func() { assert.NoError(t, w.follow(ctx, watching)) })
	}

	end := time.Now().Add(mostTime)
	over := func() bool {
		operations, _ := b.record.Count()
		return operations >= enough && !s.More() || time.Now().After(end)
	}
	var playing sync.WaitGroup
	play := func(once func()) {
		playing.Go(func() {
			for !over() {
				once()
			}
		})
	}
	for id := range players + callers {
		random := s.Rand(fmt.Sprint("player ", id))
		if id < players {
			p := &player{id, b, newWire(config()), strings.Split(heads, ","), random, map[place]history.Seen{}}
			defer p.wire.http.CloseIdleConnections()
			play(p.play)
			continue
		}
		a := &attempts{}
		options := append(quick, comet.WithObserver(a.observe))
		if id%2 == 0 {
			options = append(options, comet.WithHedge(20*time.Millisecond))
		}
		play((&caller{id, b, dial(options...), a, random}).play)
	}
	stop := s.Strike(first, others...)
	playing.Wait()
	stop()

	for _, w := range watchers {
		w.requireLast(t, well)
	}
	cancel()
	following.Wait()
	operations, unknown := b.record.Count()
	t.Logf("%d operations on %d groups, %d of them never answered", operations, len(b.groups), unknown)
	b.record.Check(t)
}
