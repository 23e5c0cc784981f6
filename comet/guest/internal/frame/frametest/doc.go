// Package frametest runs tests of the guest's modules on a machine that they may change: the one that they run on, behind an overlay.
//
//	func TestUsers(t *testing.T) {
//		if !frametest.Inside(t) {
//			return
//		}
//		m := frametest.Machine(t) // whose root is /
//		…
//	}
package frametest
