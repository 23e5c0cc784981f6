// Package loopback gives tests addresses for servers that are stopped and started again, and whose address must be theirs meanwhile; and
// proxies that part clients from servers.
package loopback

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// Systems give outgoing connections ports from 32768 on (Linux) or above (others). A stopped server that has one of these may find a
// connection of anybody on it when it comes back.
const (
	lowest = 10000
	above  = 32768
	tries  = 1000
)

// Listen listens on 127.0.0.1, on a port that the system gives to no connection.
func Listen() (net.Listener, error) {
	for range tries {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(above-lowest)))
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
	}
	return nil, fmt.Errorf("no free port from %d to %d was found", lowest, above-1)
}
