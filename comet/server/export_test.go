package server

import (
	"crypto/tls"
	"time"
)

// Endpoints are "METHOD /path" of all that a head serves.
func Endpoints() (all []string) {
	for path, e := range endpoints {
		all = append(all, e.method+" "+path)
	}
	return all
}

// Peer remembers a verdict as a connection does, under a clock of the test's.
type Peer struct{ peer peer }

// Judge is what the head asks at that moment.
func (p *Peer) Judge(c *tls.ConnectionState, trust func(*tls.ConnectionState) bool, now time.Time) bool {
	return p.peer.judge(c, trust, now)
}
