package server

import (
	"net"
	"net/http"
	"sync"
)

// unused knows the connections that no request has come on. Clients open some in advance; net/http's Shutdown would wait five
// seconds for each, as if it were busy.
type unused struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// follow is an [http.Server]'s ConnState.
func (u *unused) follow(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if state == http.StateNew {
		u.conns[c] = struct{}{}
	} else {
		delete(u.conns, c)
	}
}

// close closes them.
func (u *unused) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.conns {
		c.Close()
	}
}
