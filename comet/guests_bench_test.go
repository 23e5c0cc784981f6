package comet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/internal/headtest"
	"github.com/renci-nrig/comet-go/comet/internal/turns"
	"github.com/renci-nrig/comet-go/scope"
)

// pace is how long it takes until all guests have published, and how often those ask who are not told.
type pace struct{ publishing, polling time.Duration }

// ofGuests is the pace of guests as they are, or with -short a faster one of fewer.
func ofGuests() (pace, []int) {
	if testing.Short() {
		return pace{500 * time.Millisecond, time.Second}, []int{100}
	}
	return pace{5 * time.Second, 10 * time.Second}, []int{100, 1000}
}

// BenchmarkGuests lets N guests learn the addresses of each other from one head in a process of its own, over mutual TLS, each with a
// client of its own and all in one context; their publications are spread over five seconds. It reports how long after the last of
// these the last guest knew all, and how many times the bytes on the wire (both ways, TLS and its handshakes included) what they had
// to learn: N entries for each, in JSON. "told" is watching, "polled" asks for the whole list every ten seconds, as guests have done.
func BenchmarkGuests(b *testing.B) {
	pace, crowds := ofGuests()
	for _, n := range crowds {
		var told float64
		b.Run(fmt.Sprintf("told/%d", n), func(b *testing.B) { told = guests(b, n, true, pace) })
		b.Run(fmt.Sprintf("polled/%d", n), func(b *testing.B) {
			if polled := guests(b, n, false, pace); told > 0 {
				b.ReportMetric(polled/told, "x-told")
			}
		})
	}
}

// guests reports what a crowd takes, and returns the milliseconds until it knows all.
func guests(b *testing.B, n int, told bool, pace pace) float64 {
	var lag, bytes, requests []float64
	for range b.N {
		l, x, r := converge(b, n, told, pace)
		lag, bytes, requests = append(lag, float64(l.Milliseconds())), append(bytes, x), append(requests, r)
	}
	ms := turns.Median(lag)
	b.ReportMetric(ms, "ms-lag")
	b.ReportMetric(turns.Median(bytes), "x-bytes")
	b.ReportMetric(turns.Median(requests), "requests/guest")
	b.ReportMetric(0, "ns/op")
	return ms
}

// crowd is guests that wait until each knows all.
type crowd struct {
	polling time.Duration
	names   []scope.Name
	value   func(i int) []byte
	left    sync.WaitGroup // who does not know all yet
	last    atomic.Int64   // when the last of them knew, Unix nanoseconds
	learned atomic.Int64   // bytes of what they had to learn
}

func converge(b *testing.B, n int, told bool, pace pace) (lag time.Duration, timesBytes, requestsEach float64) {
	head, config := headtest.Start(b)
	proxy, moved := countingProxy(b, head)
	id := scope.NewToken().Reveal() // a context of its own
	c := &crowd{polling: pace.polling, value: func(i int) []byte {
		return scope.Encode(scope.Host{HostName: fmt.Sprintf("workers-%04d", i), IP: fmt.Sprintf("10.1.%d.%d", i/250, i%250)})
	}}
	for i := range n {
		c.names = append(c.names, scope.MustName(id, "hostsall", fmt.Sprintf("%08x-7188-49b2-af48-f21497450d84", i)))
	}
	ctx, cancel := context.WithCancel(b.Context())
	var asked atomic.Int64
	var running, ready sync.WaitGroup
	defer running.Wait()
	defer cancel()
	clients := make([]*comet.Client, n)
	for i := range clients {
		var err error
		clients[i], err = comet.New(proxy, config.Clone(), comet.WithObserver(func(comet.Attempt) { asked.Add(1) }), comet.WithAttemptTimeout(time.Minute))
		require.NoError(b, err)
		defer clients[i].Close()
		c.left.Add(1)
		ready.Add(1)
		running.Go(func() { c.learn(ctx, clients[i], told, sync.OnceFunc(ready.Done)) })
	}
	ready.Wait()
	start := time.Now()
	var published sync.WaitGroup
	for i := range clients {
		published.Go(func() {
			time.Sleep(time.Until(start.Add(rand.N(pace.publishing))))
			if _, err := clients[i].Write(ctx, c.names[i], testTokens, c.value(i)); err != nil {
				b.Error(err)
			}
		})
	}
	published.Wait()
	end := time.Now()
	c.left.Wait()
	lag = time.Unix(0, c.last.Load()).Sub(end)
	return lag, float64(moved.Load()) / float64(c.learned.Load()), float64(asked.Load()) / float64(n)
}

// learn follows the context until all are known, and a little on.
func (c *crowd) learn(ctx context.Context, client *comet.Client, told bool, ready func()) {
	known := map[scope.Key]bool{}
	done := sync.OnceFunc(func() {
		for now := time.Now().UnixNano(); ; {
			if before := c.last.Load(); before >= now || c.last.CompareAndSwap(before, now) {
				break
			}
		}
		c.left.Done()
	})
	see := func(entries []comet.Entry) {
		ready()
		for _, e := range entries {
			if !known[e.Name.Key] {
				known[e.Name.Key] = true
				c.learned.Add(int64(len(inJSON(e))))
			}
		}
		if len(known) == len(c.names) {
			done()
		}
	}
	family := c.names[0].Family
	if told {
		client.Watch(ctx, comet.Watch{Context: c.names[0].Context, Families: []scope.Family{family}, Read: []scope.Token{testTokens.Read}},
			func(change comet.Change) error {
				entries := make([]comet.Entry, len(change.Entries))
				for i, e := range change.Entries {
					entries[i] = e.Entry
				}
				see(entries)
				return nil
			})
		return
	}
	for first := true; ctx.Err() == nil; first = false {
		entries, err := client.List(ctx, c.names[0].Context, family, testTokens.Read)
		if err == nil {
			see(entries)
		}
		every := c.polling
		if first {
			every = rand.N(every) // they did not start together
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// inJSON is an entry as heads list it.
func inJSON(e comet.Entry) []byte {
	text, err := json.Marshal(map[string]string{"key": e.Name.Key.String(), "value": string(e.Value)})
	if err != nil {
		panic(err)
	}
	return text
}

// countingProxy passes bytes on to the head and counts them.
func countingProxy(b *testing.B, head string) (url string, moved *atomic.Int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	moved = &atomic.Int64{}
	var passing sync.WaitGroup
	b.Cleanup(func() {
		l.Close()
		passing.Wait()
	})
	pass := func(to io.WriteCloser, from io.Reader) {
		defer to.Close()
		io.Copy(io.MultiWriter(to, counter{moved}), from)
	}
	passing.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", head[len("https://"):])
			if err != nil {
				near.Close()
				continue
			}
			passing.Go(func() { pass(far, near) })
			passing.Go(func() { pass(near, far) })
		}
	})
	return "https://" + l.Addr().String(), moved
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
