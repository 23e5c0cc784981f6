package faulttest_test

import (
	"maps"
	"testing"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/internal/faulttest"
	"github.com/renci-nrig/comet-go/comet/server"
)

func TestFaultGuestsOnBolt(t *testing.T) {
	program := guestProgram(t)
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		store, restarts := openBolt(t, s)
		playGuests(t, s, site{
			heads: comettest.StartOn(t, 3, store), liars: comettest.StartOn(t, 3, store), program: program, store: store.Now,
		}, restarts)
	})
}

// Heads as deployed tell nothing of changes, so that guests compare what they show.
func TestFaultGuestsOnHeadsAsDeployed(t *testing.T) {
	program := guestProgram(t)
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		store, restarts := openBolt(t, s)
		playGuests(t, s, site{
			heads: comettest.StartOn(t, 3, store, server.WithoutExtensions()), liars: comettest.StartOn(t, 3, store, server.WithoutExtensions()),
			program: program, store: store.Now,
		}, restarts)
	})
}

func TestFaultGuestsOnEtcd(t *testing.T) {
	program := guestProgram(t)
	faulttest.Run(t, 1, func(t *testing.T, s *faulttest.Schedule) {
		faulttest.Leaks(t)
		stores, members, networks := openEtcd(t, false)
		playGuests(t, s, site{
			heads: comettest.StartEach(t, stores), liars: comettest.StartEach(t, stores), program: program,
			store: func() server.Store { return stores[0] },
		}, append(networks, members)...)
	})
}

// playGuests is the life of a slice whose VMs have guests, while faults strike: those that the guests do not survive, too. All the
// time each file on each VM is whole, and nobody who is there is forgotten; and when all is well again, every VM knows the others, and
// has nothing more to do. The end of the slice takes nothing from VMs that are still there, but for the others.
func playGuests(t *testing.T, s *faulttest.Schedule, on site, others ...faulttest.Part) {
	f := newFleet(t, s, on)
	defer f.end()
	stop := s.Strike(f.part(), append(others, f.parts...)...)
	defer stop()
	if !f.begin() {
		return
	}
	for _, i := range f.random.Perm(len(f.turns())) {
		if f.pause(); !f.turns()[i]() || t.Failed() {
			return
		}
	}
	for f.pause(); s.More(); f.pause() { // guests work by themselves
	}
	stop()
	f.converge()
	if f.check(); t.Failed() {
		return
	}
	f.startAll()
	f.dissolve()
}

// turns are what happens to a slice in its life.
func (f *fleet) turns() []func() bool {
	return []func() bool{f.extend, f.replace, f.withdraw, f.rebuild, f.move}
}

// startAll starts the guests that do not run.
func (f *fleet) startAll() {
	for _, m := range f.all() {
		m.start()
	}
}

// all are the machines that are there, by name.
func (f *fleet) all() map[string]*machine {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.machines)
}
