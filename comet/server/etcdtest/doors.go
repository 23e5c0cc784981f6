package etcdtest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/internal/loopback"
)

// doors stand before the members' addresses for peers, and let each of the others in by a way of its own, which can be barred.
type doors struct {
	urls []string            // of the doors, by which the members know each other
	ways [][]*loopback.Proxy // from, to; the last row is for who does not say where it comes from
}

// openDoors opens a door before each address. They close with the test.
func openDoors(t testing.TB, addresses []string) *doors {
	t.Helper()
	d := &doors{ways: make([][]*loopback.Proxy, len(addresses)+1)}
	for from := range d.ways {
		for _, to := range addresses {
			d.ways[from] = append(d.ways[from], loopback.NewProxy(t, to))
		}
	}
	listeners := make([]net.Listener, len(addresses))
	for to := range listeners {
		l, err := loopback.Listen()
		require.NoError(t, err)
		listeners[to] = l
		d.urls = append(d.urls, "http://"+l.Addr().String())
	}
	for to, l := range listeners {
		d.open(t, l, to)
	}
	return d
}

func (d *doors) open(t testing.TB, l net.Listener, to int) {
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { d.letIn(c, to) })
		}
	})
	t.Cleanup(func() { // when the members have ended, and with them who has not yet said who it is
		l.Close()
		for _, ways := range d.ways { // where the test ends while a member is cut off
			ways[to].Break()
		}
		running.Wait()
	})
}

// letIn learns from the first request who comes. Members say by which URL they are known, but not when they only see whether somebody is
// there: such a connection ends with its answer, or a member would go on with it.
func (d *doors) letIn(c net.Conn, to int) {
	var said bytes.Buffer
	r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(c, &said)))
	if err != nil {
		c.Close()
		return
	}
	from := slices.Index(d.urls, r.Header.Get("X-PeerURLs"))
	if from < 0 {
		from = len(d.urls)
		r.Close = true
		var whole bytes.Buffer
		if r.Write(&whole) != nil {
			c.Close()
			return
		}
		said = whole
	}
	d.ways[from][to].Serve(begun{c, io.MultiReader(&said, c)})
}

// begun is a connection of which the beginning has been read.
type begun struct {
	net.Conn
	whole io.Reader
}

func (b begun) Read(p []byte) (int, error) { return b.whole.Read(p) }

// bar lets nothing pass from and to a member, and nobody who does not say where it comes from.
func (d *doors) bar(member int) {
	for from, ways := range d.ways {
		for to, way := range ways {
			if from == member || to == member || from == len(d.urls) {
				way.Hold()
			}
		}
	}
}

// unbar lets everything pass; what was held arrives late.
func (d *doors) unbar() {
	for _, ways := range d.ways {
		for _, way := range ways {
			way.Mend()
		}
	}
}
