package faulttest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/internal/faulttest"
	"github.com/renci-nrig/comet-go/comet/internal/history"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// How much happens in one schedule.
const (
	players  = 5
	callers  = 3
	playTime = 1500 * time.Millisecond
)

func TestFaultHistoriesOnBolt(t *testing.T) {
	faulttest.Run(t, 3, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		store, restarts := openBolt(t)
		heads := comettest.StartOn(t, 3, store)
		playHistory(t, s, heads, append(faulttest.HeadParts(heads), restarts)...)
	})
}

func TestFaultHistoriesOnEtcd(t *testing.T) {
	cluster := etcdtest.Start(t, 3)
	faulttest.Run(t, 3, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		stores, parts := openEtcd(t, cluster, true)
		heads := comettest.StartEach(t, stores)
		playHistory(t, s, heads, append(faulttest.HeadParts(heads), parts...)...)
	})
}

// playHistory lets clients work with entries while faults strike, and checks what they saw.
func playHistory(t *testing.T, s *faulttest.Schedule, heads *comettest.Heads, parts ...faulttest.Part) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var following sync.WaitGroup
	var watchers []*watcher
	quick := []comet.Option{comet.WithAttemptTimeout(attemptTime), comet.WithRest(5*time.Millisecond, 50*time.Millisecond)}
	watching, well := heads.Client(quick...), heads.Client()
	b := newBoard(t.Name(), nil)
	b.opened = func(g *group) {
		w := newWatcher(players+callers+g.index%2, b, g)
		watchers = append(watchers, w)
		following.Go(func() { assert.NoError(t, w.follow(ctx, watching)) })
	}

	over := make(chan struct{})
	time.AfterFunc(playTime, func() { close(over) })
	var playing sync.WaitGroup
	play := func(once func()) {
		playing.Go(func() {
			for !closed(over) {
				once()
			}
		})
	}
	for id := range players + callers {
		random := s.Rand(fmt.Sprint("player ", id))
		if id < players {
			p := &player{id, b, newWire(heads.TLS()), strings.Split(strings.ReplaceAll(heads.List(), "/,", ","), ","), random, map[place]history.Seen{}}
			defer p.wire.http.CloseIdleConnections()
			play(p.play)
			continue
		}
		a := &attempts{}
		options := append(quick, comet.WithObserver(a.observe))
		if id%2 == 0 {
			options = append(options, comet.WithHedge(20*time.Millisecond))
		}
		play((&caller{id, b, heads.Client(options...), a, random}).play)
	}
	stop := s.Strike(parts...)
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

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
