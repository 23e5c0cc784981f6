package service

import (
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest"
)

// Systemd returns what tells systemd how things are, nil where it has not started the process. See sd_notify(3).
func Systemd() func(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	if path[0] == '@' { // an abstract socket
		path = "\x00" + path[1:]
	}
	return func(state string) {
		socket, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			return // nobody listens, and nothing depends on it
		}
		defer socket.Close()
		_, _ = socket.Write([]byte(state))
	}
}

// monotonic is the time by which systemd orders reloads, in microseconds.
func monotonic() int64 {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return 0
	}
	return now.Nano() / 1000
}

// heartbeat ticks twice in the time after which systemd takes the process for dead, and hardly ever where it does not watch.
func (r *run) heartbeat() *time.Ticker {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return time.NewTicker(time.Hour)
	}
	return time.NewTicker(time.Duration(usec) * time.Microsecond / 2)
}

// stuck is how long a pass may take before the guest is taken for dead: commands of the system have their own limits below it.
const stuck = 15 * time.Minute

// beat tells systemd that the guest lives, as long as it makes passes.
func (r *run) beat(st guest.Status) {
	if time.Since(st.At) < stuck {
		r.notify("WATCHDOG=1")
	}
}
