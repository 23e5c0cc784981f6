package server

import (
	"crypto/tls"
	"time"
)

// Peer remembers a verdict as a connection does, under a clock of the test's.
type Peer struct{ peer peer }

// Judge is what the head asks at that moment.
func (p *Peer) Judge(c *tls.ConnectionState, trust func(*tls.ConnectionState) bool, now time.Time) bool {
	return p.peer.judge(c, trust, now)
}
