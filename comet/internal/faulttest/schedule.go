package faulttest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
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
	t    *testing.T
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
		s := &Schedule{Seed: seed + uint64(i)}
		name := t.Name()
		t.Run(fmt.Sprintf("seed=%d", s.Seed), func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("again: -run '^%s$' -fault.schedules=1 -fault.seed=%d", name, s.Seed)
				}
			})
			s.t = t
			play(t, s)
		})
	}
}

// Rand returns the random numbers of one of the schedule's actors, which do not depend on those of others.
func (s *Schedule) Rand(actor string) *rand.Rand {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(actor) {
		h = (h ^ uint64(actor[i])) * 1099511628211
	}
	return rand.New(rand.NewPCG(s.Seed, h))
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
}

// How long things are well, and ill, at most, and after how long nothing strikes any more: on a slow machine, too, what is under way
// comes to its end.
const (
	wellFor   = 400 * time.Millisecond
	illFor    = 120 * time.Millisecond
	strikeFor = 5 * time.Second
)

// moreParts is how many parts faults strike beside the first, at most. Where everything fails all the time nothing happens.
const moreParts = 3

// Strike lets faults strike the first part and some of the others, each on its own, until stop is called, which returns when all is
// mended.
func (s *Schedule) Strike(first Part, others ...Part) (stop func()) {
	choice := s.Rand("parts")
	parts := []Part{first}
	for _, i := range choice.Perm(len(others))[:min(len(others), choice.IntN(moreParts+1))] {
		parts = append(parts, others[i])
	}
	began := time.Now()
	over := make(chan struct{})
	var striking sync.WaitGroup
	for _, p := range parts {
		random := s.Rand(p.Name)
		striking.Go(func() {
			for within(over, upTo(random, wellFor)) && time.Since(began) < strikeFor {
				f := p.Faults[random.IntN(len(p.Faults))]
				s.t.Logf("%7.3fs %s: %s", time.Since(began).Seconds(), p.Name, f.Name)
				f.Strike()
				within(over, upTo(random, illFor))
				f.Mend()
			}
		})
	}
	return sync.OnceFunc(func() {
		close(over)
		striking.Wait()
		s.t.Logf("%7.3fs all is well", time.Since(began).Seconds())
	})
}

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
