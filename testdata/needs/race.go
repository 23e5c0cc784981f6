//go:build race

package needs

// Raced says that the race detector is on, which multiplies memory and time.
const Raced = true
