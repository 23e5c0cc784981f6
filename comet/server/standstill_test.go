package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/testdata/needs"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// Thousands of connections that come to nothing, at whatever point they break off, leave nothing behind and keep nobody waiting.
func TestHandshakesThatComeToNothing(t *testing.T) {
	handshakes := 3000
	if needs.Raced || testing.Short() {
		handshakes = 300
	}
	h := start(t)
	h.put("one")
	c := h.client(nobody)
	h.request(c, "GET", "/readScope?"+entry(readToken, ""), "")
	before, files := runtime.NumGoroutine(), openFiles(t)
	config := tlsconfig.Client([]*x509.Certificate{mustAuthority(t).Certificate()}, nil)
	next := make(chan int)
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for i := range next {
				breakOff(t, h.addr, config, i)
			}
		})
	}
	for i := range handshakes {
		next <- i
		if i%100 == 0 {
			h.request(c, "GET", "/readScope?"+entry(readToken, ""), "").ok(t, `{"contextId":"slice","family":"hostsall","key":"vm","value":"one"}`)
		}
	}
	close(next)
	callers.Wait()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 && openFiles(t) <= files+2 }, time.Minute, 10*time.Millisecond)
	require.NotContains(t, h.log.String(), "level=ERROR")
	h.noSecrets()
}

// breakOff connects, and leaves after as much of a handshake as the number says.
func breakOff(t *testing.T, addr string, config *tls.Config, i int) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	switch i % 4 {
	case 0: // without a word
	case 1:
		io.WriteString(c, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
	case 2:
		io.WriteString(c, "GET /getVersion HTTP/1.1\r\nHost: x\r\n\r\n")
	default:
		if err := tls.Client(c, &tls.Config{RootCAs: config.RootCAs, InsecureSkipVerify: true}).Handshake(); err != nil {
			t.Error(err)
		}
	}
}

func mustAuthority(t *testing.T) *tlsconfig.Authority {
	t.Helper()
	ca, err := authority()
	require.NoError(t, err)
	return ca
}

// openFiles is how many files this process has open, 0 where the system does not tell.
func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(files)
}

// A handshake that stands still is cut off like a header that does.
func TestHandshakesThatStandStillAreCutOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "comet.db")
	identity, err := mustAuthority(t).Server("head", "127.0.0.1")
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		store, err := bolt.Open(file)
		require.NoError(t, err)
		defer store.Close()
		listener := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- server.Serve(ctx, server.New(store), tlsconfig.Server(identity, nil), listener) }()
		for _, beginning := range []string{"", "\x16", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"} {
			c, began := listener.dial(), time.Now()
			go io.WriteString(c, beginning)
			io.Copy(io.Discard, c)
			require.LessOrEqual(t, time.Since(began), 11*time.Second, "%q", beginning)
			c.Close()
		}
		cancel()
		require.NoError(t, <-ended)
	})
}

// Clients that send the beginning of a value and then wait take what they have sent, and no more, of a head that answers others.
func TestValuesThatStandStill(t *testing.T) {
	const clients = 100
	h := start(t)
	h.put("one")
	c := h.client(nobody)
	h.request(c, "GET", "/getVersion", "")
	part := strings.Repeat("x", 64<<10)
	before := measure()
	var parked []net.Conn
	for range clients {
		p := h.dial()
		_, err := io.WriteString(p, writes+fmt.Sprintf("Content-Length: %d\r\n\r\n", server.MaxValue)+part)
		require.NoError(t, err)
		parked = append(parked, p)
	}
	for range clients {
		h.request(c, "GET", "/readScope?"+entry(readToken, ""), "")
	}
	each := (measure().memory - before.memory) / clients
	t.Logf("%d clients that sent %d bytes of a value: %d bytes each, their own side of the connection included", clients, len(part), each)
	require.Less(t, each, int64(8*len(part)), "as if they had sent all")
	for _, p := range parked {
		p.Close()
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before.goroutines+2 }, time.Minute, 10*time.Millisecond)
	require.Equal(t, "one", h.value())
}
