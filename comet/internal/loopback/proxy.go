package loopback

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a client and a server on TCP, and can part them. It ends with the test.
type Proxy struct {
	Addr string // host:port

	to       string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	open  map[net.Conn]bool
	way   way
	clear chan struct{} // closed when nothing is held any more
}

type way int

const (
	open   way = iota
	broken     // connections break, new ones too
	held       // nothing passes
)

// NewProxy starts a proxy to an address.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), to: to, listener: l, open: map[net.Conn]bool{}, clear: make(chan struct{})}
	close(p.clear)
	p.running.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.Break()
		p.running.Wait()
	})
	return p
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.Serve(c) })
	}
}

// Break breaks all connections, and each new one, until Mend.
func (p *Proxy) Break() {
	p.set(broken)
	p.breakAll()
}

// Hold lets nothing pass until Mend, as a network that is parted.
func (p *Proxy) Hold() { p.set(held) }

// Mend lets everything pass. What was held arrives now, late, unless the sender has left meanwhile and the receiver sees that first.
func (p *Proxy) Mend() { p.set(open) }

// Drop is Mend, but connections of before are broken and what was held never arrives.
func (p *Proxy) Drop() {
	p.breakAll()
	p.set(open)
}

func (p *Proxy) set(to way) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch was := p.way; {
	case was != held && to == held:
		p.clear = make(chan struct{})
	case was == held && to != held:
		close(p.clear)
	}
	p.way = to
}

func (p *Proxy) breakAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

// Serve passes on a connection to the proxy's end, or one that somebody else has taken for it.
func (p *Proxy) Serve(from net.Conn) {
	defer from.Close()
	p.pass()
	to, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer to.Close()
	if !p.keep(from, to) {
		return
	}
	defer p.forget(from, to)
	var both sync.WaitGroup
	for _, c := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			defer c[1].Close()
			defer c[0].Close()
			io.Copy(gate{c[1], p}, c[0])
		})
	}
	both.Wait()
}

// gate writes when it may.
type gate struct {
	net.Conn
	p *Proxy
}

func (g gate) Write(b []byte) (int, error) {
	g.p.pass()
	return g.Conn.Write(b)
}

// pass waits while everything is held.
func (p *Proxy) pass() {
	p.mu.Lock()
	clear := p.clear
	p.mu.Unlock()
	<-clear
}

func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.open[c] = true
	}
	return p.way != broken
}

func (p *Proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.open, c)
	}
}
