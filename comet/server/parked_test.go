package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// What a waiting client may cost a head over mutual TLS, and what it may leave behind when it has gone.
const (
	maxParked = 60 << 10
	maxLeft   = 4 << 10
)

// parkedSlices are the slices of the waiting clients, each with a read token of its own.
const parkedSlices = 10

// Ten thousand clients of another process wait at a head. A change wakes those of its slice and nobody else, and when all have left
// nothing is left of them.
func TestParkedWatchers(t *testing.T) {
	watchers := 10_000
	if needs.Raced || testing.Short() {
		watchers = 200
		t.Log("200 watchers, and their memory is not judged: -short, or the race detector, which takes memory of its own")
	}
	lot := fillLot(t, watchers)
	store, out, parked := lot.store, lot.out, lot.parked

	putAt(t, store, 3, "second")
	for range watchers / parkedSlices {
		require.Equal(t, "told of slice 3", <-parked.said)
	}
	parked.leave()
	require.Empty(t, parked.said, "somebody else was told something")
	for _, c := range out.watchers() {
		for range c { // until it is closed
		}
	}
	for i := range parkedSlices {
		looks := watchers / parkedSlices
		if i == 3 {
			looks *= 2
		}
		require.Equal(t, looks, out.looksOf(readerOf(i)), "slice %d", i)
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= lot.empty.goroutines+2 }, time.Minute, 10*time.Millisecond)
	after := measure()

	left := (after.memory - lot.empty.memory) / int64(watchers)
	t.Logf("%d watchers: %d bytes of heap and stacks each, %d of the process's memory; %d left when they had gone",
		watchers, lot.each(), (lot.full.resident-lot.empty.resident)/int64(watchers), left)
	if watchers == 10_000 {
		require.LessOrEqual(t, lot.each(), int64(maxParked))
		require.LessOrEqual(t, left, int64(maxLeft))
	}
}

// BenchmarkParked reports what each of ten thousand waiting clients costs a head.
func BenchmarkParked(b *testing.B) {
	for range b.N {
		lot := fillLot(b, 10_000)
		b.ReportMetric(float64(lot.each())/1000, "KB/client")
		b.ReportMetric(float64(lot.full.resident-lot.empty.resident)/1000/10_000, "resident-KB/client")
		b.ReportMetric(0, "ns/op")
		lot.parked.leave()
	}
}

// lot is a head at which clients of another process wait.
type lot struct {
	store       server.Store
	out         *lookout
	parked      parked
	watchers    int
	empty, full measured // before they came, and with all of them waiting
}

// each is the bytes of heap and stacks that one takes.
func (l lot) each() int64 { return (l.full.memory - l.empty.memory) / int64(l.watchers) }

func fillLot(t testing.TB, watchers int) lot {
	t.Helper()
	files, err := tlsconfig.WriteDevelopment(filepath.Join(t.TempDir(), "certs"))
	require.NoError(t, err)
	live, err := tlsconfig.Open(files.Server, tlsconfig.Names{})
	require.NoError(t, err)
	t.Cleanup(func() { live.Close() })
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	for i := range parkedSlices {
		putAt(t, store, i, "first")
	}
	l := lot{store: store, out: newLookout(store), watchers: watchers}
	address, _ := serveAt(t, live.Server(), server.New(l.out))

	l.empty = measure()
	l.parked = park(t, parkedAsk{
		Head: address, CA: files.Client.CA, Cert: files.Client.Cert, Key: files.Client.Key,
		Watchers: watchers, Since: fmt.Sprintf("%s.%d", store.Identity(), parkedSlices),
	})
	for range watchers {
		select {
		case <-l.out.looked:
		case line := <-l.parked.said:
			t.Fatalf("the process with the clients: %s", line)
		}
	}
	l.full = measure()
	return l
}

func sliceOf(i int) string  { return fmt.Sprintf("slice-%d", i) }
func readerOf(i int) string { return fmt.Sprintf("Reads-%d", i) }

func putAt(t testing.TB, store server.Store, i int, value string) {
	t.Helper()
	_, err := store.Apply(t.Context(), server.Change{
		Name:   scope.MustName(sliceOf(i), "hostsall", "vm"),
		Tokens: scope.Tokens{Read: scope.MustToken(readerOf(i)), Write: scope.MustToken(writeToken)},
		Value:  value, MayCreate: true,
	})
	require.NoError(t, err)
}

type measured struct {
	memory, resident int64 // bytes in use of heap and stacks, and of the whole process where the system tells
	goroutines       int
}

func measure() measured {
	for range 3 {
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var pages, resident int64
	if f, err := os.Open("/proc/self/statm"); err == nil {
		fmt.Fscan(f, &pages, &resident)
		f.Close()
	}
	return measured{int64(m.HeapInuse + m.StackInuse), resident * int64(os.Getpagesize()), runtime.NumGoroutine()}
}
