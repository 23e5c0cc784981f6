package comettest

import (
	"net"
	"sync"
)

// wire is the listener of a head. Its connections can be made to go dead without being closed, as when a firewall forgets them or a
// machine loses power. Safe for concurrent use.
type wire struct {
	net.Listener

	mu   sync.Mutex
	open map[*conn]bool
	mute bool
}

func newWire(l net.Listener) *wire { return &wire{Listener: l, open: map[*conn]bool{}} }

func (w *wire) Accept() (net.Conn, error) {
	accepted, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &conn{Conn: accepted, wire: w, dead: make(chan struct{}), closed: make(chan struct{})}
	if w.mute {
		close(c.dead)
	} else {
		w.open[c] = true
	}
	return c, nil
}

// freeze lets the open connections go dead, and with mute all that come as well.
func (w *wire) freeze(mute bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mute = w.mute || mute
	for c := range w.open {
		close(c.dead)
	}
	clear(w.open)
}

func (w *wire) forget(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, c)
}

// conn is one connection of a wire.
type conn struct {
	net.Conn
	wire   *wire
	dead   chan struct{} // closed when nothing goes in or out any more
	once   sync.Once
	closed chan struct{}
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.dead: // what came is lost
		<-c.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (c *conn) Write(p []byte) (int, error) {
	select {
	case <-c.dead:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.wire.forget(c)
		close(c.closed)
	})
	return c.Conn.Close()
}
