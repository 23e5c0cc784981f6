package server_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// beBoth makes the test binary two servers of one process: a head, and net/http that does nothing but answer as many bytes. The
// variable names the folder for their things.
const beBoth = "TEST_BE_BOTH"

func serveBoth(dir string) error {
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(dir, "certs"))
	if err != nil {
		return err
	}
	live, err := tlsconfig.Open(certs.Server, tlsconfig.Names{})
	if err != nil {
		return err
	}
	store, err := bolt.Open(filepath.Join(dir, "comet.db"))
	if err != nil {
		return err
	}
	head, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	bare, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h := server.New(store, server.WithLogger(slog.New(slog.DiscardHandler)), server.WithTrust(live.Trusted))
	body := []byte(strings.Repeat("x", answerBytes))
	go (&http.Server{TLSConfig: live.Server(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			w.Write(body[:writtenBytes])
			return
		}
		w.Write(body)
	})}).ServeTLS(bare, "", "")
	fmt.Println(head.Addr(), bare.Addr())
	return server.Serve(context.Background(), h, live.Server(), head)
}

// How long the head's answers are, to a read of the benchmark's entry and to a write.
const (
	valueBytes   = 1024
	answerBytes  = valueBytes + 137
	writtenBytes = 150
)

// rig is a head and a bare server in another process, and a client for both.
type rig struct {
	head, bare string
	client     *http.Client
}

func newRig(b *testing.B) rig {
	dir := b.TempDir()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), beBoth+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, c.Start())
	b.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	var head, bare string
	_, err = fmt.Fscanln(out, &head, &bare)
	require.NoError(b, err)
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(dir, "certs"))
	require.NoError(b, err)
	live, err := tlsconfig.Open(certs.Client, tlsconfig.Names{})
	require.NoError(b, err)
	b.Cleanup(func() { live.Close() })
	transport := &http.Transport{TLSClientConfig: live.Client(head), MaxIdleConnsPerHost: 128, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	b.Cleanup(transport.CloseIdleConnections)
	return rig{"https://" + head, "https://" + bare, &http.Client{Transport: transport}}
}

func (r rig) do(ctx context.Context, method, url, body string) error {
	q, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/json")
	answer, err := r.client.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return err
}

func entryQuery(call, key string) string {
	return "/" + call + "?contextID=slice&family=hostsall&Key=" + key + "&readToken=" + readToken + "&writeToken=" + writeToken
}

// BenchmarkHead holds a head on the embedded store against net/http that answers as many bytes and stores nothing, over kept-alive
// mutual TLS. One iteration is two slices of time, one for each; run it with -benchtime 15x or more. It reports the medians. One
// writer is held against one sync of the same disk and one bare request, since it cannot share them.
func BenchmarkHead(b *testing.B) {
	r := newRig(b)
	value := `{"val_":"` + strings.Repeat("x", valueBytes-11) + `"}`
	require.NoError(b, r.do(b.Context(), http.MethodPost, r.head+entryQuery("writeScope", "vm"), value))
	read := func(base string) func(context.Context, int) error {
		return func(ctx context.Context, _ int) error {
			return r.do(ctx, http.MethodGet, base+entryQuery("readScope", "vm"), "")
		}
	}
	var n atomic.Int64
	write := func(base string) func(context.Context, int) error {
		return func(ctx context.Context, writer int) error {
			text := fmt.Sprintf(`{"val_":"%-*d"}`, valueBytes-11, n.Add(1))
			return r.do(ctx, http.MethodPost, base+entryQuery("writeScope", fmt.Sprint("vm-", writer)), text)
		}
	}
	for _, clients := range []int{1, 16} {
		b.Run(fmt.Sprintf("read/%d", clients), func(b *testing.B) { hold(b, clients, read(r.head), read(r.bare)) })
	}
	sync := oneSync(b)
	b.Run("write/1", func(b *testing.B) {
		bare := write(r.bare)
		hold(b, 1, write(r.head), func(ctx context.Context, writer int) error {
			if err := sync(); err != nil {
				return err
			}
			return bare(ctx, writer)
		})
	})
	b.Run("write/64", func(b *testing.B) { hold(b, 64, write(r.head), write(r.bare)) })
}

// oneSync returns a function that appends a value to a file and syncs it.
func oneSync(b *testing.B) func() error {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	require.NoError(b, err)
	b.Cleanup(func() { f.Close() })
	text := []byte(strings.Repeat("x", valueBytes))
	return func() error {
		if _, err := f.Write(text); err != nil {
			return err
		}
		return f.Sync()
	}
}

const sliceTime = 150 * time.Millisecond

// hold runs slices of both in turn and reports the rate of ours and what part of theirs it is.
func hold(b *testing.B, clients int, ours, theirs func(context.Context, int) error) {
	slice(b, clients, ours) // connections are opened beforehand
	slice(b, clients, theirs)
	var rates, ratios []float64
	for i := range b.N {
		var mine, other float64
		if i%2 == 0 {
			mine = slice(b, clients, ours)
			other = slice(b, clients, theirs)
		} else {
			other = slice(b, clients, theirs)
			mine = slice(b, clients, ours)
		}
		rates, ratios = append(rates, mine), append(ratios, mine/other)
	}
	b.ReportMetric(median(rates), "calls/s")
	b.ReportMetric(median(ratios), "of-net/http")
	b.ReportMetric(0, "ns/op")
}

func slice(b *testing.B, clients int, do func(context.Context, int) error) (rate float64) {
	var calls atomic.Int64
	var running sync.WaitGroup
	start := time.Now()
	for client := range clients {
		running.Go(func() {
			for time.Since(start) < sliceTime {
				if err := do(b.Context(), client); err != nil {
					b.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	running.Wait()
	return float64(calls.Load()) / time.Since(start).Seconds()
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// BenchmarkReadAmong reads one entry out of few and many of the same token, and of other tokens in the same context.
func BenchmarkReadAmong(b *testing.B) {
	for _, entries := range []int{10, 1_000, 100_000, 1_000_000} {
		for _, whose := range []string{"own", "others"} {
			b.Run(fmt.Sprintf("%s/%d", whose, entries), func(b *testing.B) { readAmong(b, entries, whose == "own") })
		}
	}
}

func readAmong(b *testing.B, entries int, own bool) {
	store, err := bolt.Open(filepath.Join(b.TempDir(), "comet.db"))
	require.NoError(b, err)
	defer store.Close()
	mine := scope.Tokens{Read: scope.MustToken(readToken), Write: scope.MustToken(writeToken)}
	theirs := scope.NewTokens()
	var changes []server.Change
	add := func(key string, tokens scope.Tokens) {
		changes = append(changes, server.Change{Name: scope.MustName("slice", "hostsall", key), Tokens: tokens, Value: `{"val_":"[]"}`, MayCreate: true})
		if len(changes) == 10_000 {
			_, err := store.Apply(b.Context(), changes...)
			require.NoError(b, err)
			changes = changes[:0]
		}
	}
	for i := range entries {
		if own {
			add(fmt.Sprint("vm-", i), mine)
		} else {
			add(fmt.Sprint("vm-", i), theirs)
		}
	}
	add("one", mine)
	_, err = store.Apply(b.Context(), changes...)
	require.NoError(b, err)
	name := scope.MustName("slice", "hostsall", "one")
	for b.Loop() {
		if _, found, err := store.Read(b.Context(), name, mine.Read); err != nil || !found {
			b.Fatal(found, err)
		}
	}
}
