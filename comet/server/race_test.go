//go:build race

package server_test

// raced says that the race detector is on, which multiplies memory and time.
const raced = true
