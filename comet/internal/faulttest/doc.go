// Package faulttest lets things go wrong while a test works with heads, and looks at the end for what was left behind.
//
//	func TestFaultSomething(t *testing.T) {
//		faulttest.Run(t, 3, func(t *testing.T, s *faulttest.Schedule) {
//			heads := comettest.Start(t, 3)
//			parts := faulttest.HeadParts(heads)
//			stop := s.Strike(parts[0], parts[1:]...)
//			…
//			stop() // all is well again
//			…
//		})
//	}
//
// What strikes, when, and for how long is drawn from the schedule's seed, which a failure prints. The few schedules that a plain
// go test plays are always the same; -fault.schedules=100 lets each test play as many, each time others unless -fault.seed says which comes
// first:
//
//	go test ./comet/internal/faulttest -run Fault -timeout 0 -fault.schedules=100
//
// A seed decides, for each test, what strikes; how far the operations have come by then also depends on the machine. Most faults last a
// moment; some last until attempts have run out of time, certificates have ended, and a cluster has chosen another leader. Work goes on
// until those are over, and until some have struck.
//
// What is tested does not belong here, except in this package's own tests: entries whose histories are checked on every store, and
// whole slices under way, with the guests of their VMs.
package faulttest
