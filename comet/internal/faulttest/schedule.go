package faulttest

import (
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	schedules = flag.Int("fault.schedules", 0, "how many fault `schedules` each test plays; 0: the few that it always plays")
	firstSeed = flag.Uint64("fault.seed", 0, "seed of the `first` schedule, the others follow; 0: 1 for the few, else random")
)

// Schedule is one course of events, drawn from its seed.
type Schedule struct {
	Seed uint64
	test string // so that each has a story of its own
	t    *testing.T
	long atomic.Int32 // faults that last, and are under way
	left atomic.Int32 // of the least faults that are to strike
}

// Run plays schedules, each as a subtest that is named by its seed: few of them unless the command line says how many.
func Run(t *testing.T, few int, play func(*testing.T, *Schedule)) {
	t.Helper()
	n, seed := few, *firstSeed
	switch {
	case seed == 0 && *schedules > 0:
		seed = rand.Uint64N(1 << 53)
	case seed == 0:
		seed = 1
	}
	if *schedules > 0 {
		n = *schedules
	}
	for i := range n {
		s := &Schedule{Seed: seed + uint64(i), test: t.Name()}
		t.Run(fmt.Sprintf("seed=%d", s.Seed), func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("again: -run '^%s$' -fault.schedules=1 -fault.seed=%d", s.test, s.Seed)
				}
			})
			s.t = t
			play(t, s)
		})
	}
}

// Rand returns the random numbers of one of the schedule's actors, which do not depend on those of others.
func (s *Schedule) Rand(actor string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, s.test, "/", actor)
	return rand.New(rand.NewPCG(s.Seed, h.Sum64()))
}

// Part is something that faults strike, one at a time.
type Part struct {
	Name   string
	Faults []Fault
}

// Fault is one thing that can go wrong with a part. Both functions are called from one goroutine.
type Fault struct {
	Name   string
	Strike func()
	Mend   func()
	Lasts  Length
}

func (f Fault) lasting(l Length) Fault {
	f.Lasts = l
	return f
}

// Length is how long a fault lasts.
type Length int

const (
	Moment   Length = iota // as most faults do, so that many strike
	Variable               // most times a moment, else Long
	Long                   // until attempts run out of time, certificates end, and clusters choose another leader
)

// How long things are well, and ill for a moment, at most; how long they are ill else; and after how long no long fault, and then none at
// all, begins any more: on a slow machine, too, what is under way comes to its end.
const (
	wellFor   = 400 * time.Millisecond
	illFor    = 120 * time.Millisecond
	leastLong = 1500 * time.Millisecond
	mostLong  = 4 * time.Second
	longUntil = time.Second
	strikeFor = 5 * time.Second
)

// One in so many faults of variable length is long.
const oneLong = 4

// draw draws a length, a long one only where that may be now.
func (l Length) draw(random *rand.Rand, mayLast bool) time.Duration {
	chance, share := random.IntN(oneLong), random.Float64() // as many draws whatever comes of it
	if long := l == Long || l == Variable && chance == 0; long && mayLast {
		return leastLong + time.Duration(share*float64(mostLong-leastLong))
	}
	return illFor/10 + time.Duration(share*float64(illFor*9/10))
}

// moreParts is how many parts faults strike beside the first, at most. Where everything fails all the time nothing happens.
const moreParts = 3

// leastFaults strike before there are no more.
const leastFaults = 4

// Strike lets faults strike the first part and some of the others, each on its own, until stop is called, which returns when all is
// mended.
func (s *Schedule) Strike(first Part, others ...Part) (stop func()) {
	choice := s.Rand("parts")
	parts := []Part{first}
	for _, i := range choice.Perm(len(others))[:min(len(others), choice.IntN(moreParts+1))] {
		parts = append(parts, others[i])
	}
	s.left.Store(leastFaults)
	began := time.Now()
	over := make(chan struct{})
	var striking sync.WaitGroup
	for _, p := range parts {
		random := s.Rand(p.Name)
		striking.Go(func() {
			defer s.left.Store(0) // its time is over, and that of the others
			for within(over, upTo(random, wellFor)) && time.Since(began) < strikeFor {
				f := p.Faults[random.IntN(len(p.Faults))]
				lasts := f.Lasts.draw(random, time.Since(began) < longUntil)
				s.t.Logf("%7.3fs %s: %s, for %.2fs", time.Since(began).Seconds(), p.Name, f.Name, lasts.Seconds())
				s.under(f, lasts, over)
			}
		})
	}
	return sync.OnceFunc(func() {
		close(over)
		striking.Wait()
		s.t.Logf("%7.3fs all is well", time.Since(began).Seconds())
	})
}

// under lets a fault last.
func (s *Schedule) under(f Fault, lasts time.Duration, over <-chan struct{}) {
	defer s.left.Add(-1)
	if lasts >= leastLong {
		s.long.Add(1)
		defer s.long.Add(-1)
	}
	defer f.Mend() // also where a test has ended within Strike
	f.Strike()
	within(over, lasts)
}

// More reports whether faults are still to be felt: a long one is under way, or few have struck. On a fast machine work is done too soon,
// and goes on until there are no more.
func (s *Schedule) More() bool { return s.long.Load() > 0 || s.left.Load() > 0 }

// upTo is from a tenth of d to all of it.
func upTo(random *rand.Rand, d time.Duration) time.Duration {
	return d/10 + time.Duration(random.Int64N(int64(d*9/10)))
}

// within waits, and reports false where it is over first.
func within(over <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-over:
		return false
	case <-timer.C:
		return true
	}
}
