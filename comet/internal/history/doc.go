// Package history records what many clients did at once to the entries of a few groups, through whatever heads, and checks that it
// could have happened one after the other, each operation at one moment between its call and its return: that is linearizability, and
// porcupine finds such an order or shows that there is none.
//
// A group is three entries that one read token shows in one context; groups have nothing to do with each other. What somebody saw of a
// group, single entries or all of it at once, by reading, listing or watching, is a reading. An attempt without an answer may have been
// carried out, or may be at any time later: it is an operation that never returns. A call of a client that goes on to another head after
// such an attempt is two operations, since both may have been carried out.
//
// How requests are made does not belong here.
package history
