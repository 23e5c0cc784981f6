package etcd_test

import (
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands between a head and a member of etcd, and can get in the way.
type proxy struct {
	addr, member string

	mu       sync.Mutex
	open     map[net.Conn]bool
	down     bool          // takes no connections
	hold     int           // bytes still to come from the head before answers are held back; 0 never
	repeat   int           // likewise before it is clear that the head asks again
	repeated chan struct{} // closed then
	release  chan struct{} // closed once held answers may go on
	wg       sync.WaitGroup
}

func startProxy(t testing.TB, member string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{addr: l.Addr().String(), member: member, open: map[net.Conn]bool{}, release: make(chan struct{})}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url(prefix string) string { return "etcd://" + p.addr + prefix }

// cut ends all connections and takes no new ones until mend.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for c := range p.open {
		c.Close()
	}
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// holdAnswerTo holds answers back once that many bytes have come from the head, until release is called. repeated is closed when the
// head has asked again.
func (p *proxy) holdAnswerTo(bytes int) (repeated <-chan struct{}, release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold, p.repeat = bytes, 2*len(large)-bytes
	p.repeated, p.release = make(chan struct{}), make(chan struct{})
	return p.repeated, sync.OnceFunc(func() { close(p.release) })
}

func (p *proxy) serve(head net.Conn) {
	defer head.Close()
	member, err := net.Dial("tcp", p.member)
	if err != nil {
		return
	}
	defer member.Close()
	if !p.keep(head, member) {
		return
	}
	held := make(chan chan struct{}, 1)
	p.wg.Go(func() {
		defer head.Close()
		defer member.Close()
		p.forward(head, member, held)
	})
	p.backward(head, member, held)
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.open[c] = true
	}
	return !p.down
}

func (p *proxy) forward(head, member net.Conn, held chan<- chan struct{}) {
	b := make([]byte, 32<<10)
	for {
		n, err := head.Read(b)
		p.mu.Lock()
		if reached(&p.hold, n) {
			held <- p.release
		}
		if reached(&p.repeat, n) {
			close(p.repeated)
		}
		p.mu.Unlock()
		if _, e := member.Write(b[:n]); e != nil || err != nil {
			return
		}
	}
}

// reached counts down to 0, and is true when it gets there.
func reached(left *int, n int) bool {
	was := *left
	*left = max(was-n, 0)
	return was > 0 && *left == 0
}

func (p *proxy) backward(head, member net.Conn, held <-chan chan struct{}) {
	b := make([]byte, 32<<10)
	for {
		n, err := member.Read(b)
		select {
		case release := <-held:
			<-release
		default:
		}
		if _, e := head.Write(b[:n]); e != nil || err != nil {
			return
		}
	}
}
