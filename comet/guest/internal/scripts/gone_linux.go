package scripts

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// gone waits for the end of a process that need not be a child, and reports whether it came in time.
func gone(pid int, deadline time.Time) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return true
	}
	if err != nil { // kernels before 5.3
		return lookedFor(pid, deadline)
	}
	defer unix.Close(fd)
	for {
		left := max(time.Until(deadline), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(min(left.Milliseconds()+1, 1<<30)))
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return true
		}
		if left == 0 {
			return false
		}
	}
}
