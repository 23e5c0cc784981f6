// Package am does what an aggregate manager does with COMET: it puts down what each VM of a slice needs, under tokens of that VM.
//
// [Generate] decides what that is, from the VM's unit properties and without any I/O. Reading and writing of files belongs to
// comet/orca, flags and printing to cmd/comet-am.
package am
