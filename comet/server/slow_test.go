package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

// pipes is a listener without a network, for a clock that moves on when everybody waits.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.accept <- theirs
	return ours
}

// Clients that are slow are cut off, each after its time, and take nothing from the others.
func TestSlowClientsAreCutOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "comet.db")
	for _, c := range []struct {
		name    string
		request string
		drip    string        // one byte of it each second
		longest time.Duration // until the connection ends
	}{
		{"says nothing", "", "", 10 * time.Second},
		{"header a byte a second", "GET /getVersion HTTP/1.1\r\n", "X-Slow: " + strings.Repeat("x", 500), 10 * time.Second},
		{"body a byte a second", "POST /writeScope?" + entry(readToken, writeToken) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n", strings.Repeat("x", 500), time.Minute},
		{"does not take its answer", "GET /readScope?" + entry(readToken, "") + " HTTP/1.1\r\nHost: x\r\n\r\n", "", 2 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, err := bolt.Open(file)
				require.NoError(t, err)
				defer store.Close()
				_, err = store.Apply(t.Context(), server.Change{
					Name:   scope.MustName("slice", "hostsall", "vm"),
					Tokens: scope.Tokens{Read: scope.MustToken(readToken), Write: scope.MustToken(writeToken)},
					Value:  strings.Repeat("x", server.MaxValue), MayCreate: true,
				})
				require.NoError(t, err)
				listener := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- server.Serve(ctx, server.New(store), nil, listener) }()

				slow, began := listener.dial(), time.Now()
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, err := io.WriteString(slow, c.request)
					for i := 0; err == nil && i < len(c.drip); i++ {
						time.Sleep(time.Second)
						_, err = io.WriteString(slow, c.drip[i:i+1])
					}
				}()
				if c.drip == "" {
					<-done
					time.Sleep(c.longest + time.Second) // and takes nothing
				}
				_, err = io.Copy(io.Discard, slow)
				require.True(t, err == nil || errors.Is(err, io.ErrClosedPipe), err)
				require.LessOrEqual(t, time.Since(began), c.longest+2*time.Second)
				slow.Close()
				<-done

				quick := listener.dial()
				go io.WriteString(quick, "GET /getVersion HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				answer, err := io.ReadAll(quick)
				require.NoError(t, err)
				require.Contains(t, string(answer), "200 OK")
				e, _, err := store.Read(t.Context(), scope.MustName("slice", "hostsall", "vm"), scope.MustToken(readToken))
				require.NoError(t, err)
				require.Len(t, e.Value, server.MaxValue, "half a value was written")
				cancel()
				require.NoError(t, <-ended)
			})
		})
	}
}
