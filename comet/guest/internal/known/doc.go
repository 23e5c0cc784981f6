// Package known holds what a VM knows of the contexts it takes part in: the entries of its groups and those that are for it alone.
//
// A [Context] hears what heads tell and decides what of it is believed. What cannot be right takes nothing away: an answer in which the
// VM does not find its own entry, an empty one, one that failed. What is missing from an answer is only believed to be gone when a
// second answer, some time later, misses it too; a head that tells of a removal is believed at once. What was believed last can be kept
// on disk, and holds until something better is known.
//
// It asks heads and does no other I/O. What is done with the entries is not decided here.
package known
