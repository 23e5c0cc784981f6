//go:build !linux

package scripts

import "time"

// gone waits for the end of a process, and reports whether it came in time.
func gone(pid int, deadline time.Time) bool { return lookedFor(pid, deadline) }
