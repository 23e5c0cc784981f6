package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/internal/headtest"
	"github.com/renci-nrig/comet-go/comet/internal/turns"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

const valueBytes = 1024 // of an entry

// rig is a head and a bare server in another process, and a client for both.
type rig struct {
	head, bare string
	client     *http.Client
}

func newRig(b *testing.B) rig {
	head, bare, config := headtest.StartBeside(b, valueBytes+137, 150) // as the head answers a read, and a write
	transport := &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 128}
	b.Cleanup(transport.CloseIdleConnections)
	return rig{head, bare, &http.Client{Transport: transport}}
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
// mutual TLS. One writer is held against one sync of the same disk and one bare request, since it cannot share them.
func BenchmarkHead(b *testing.B) {
	r := newRig(b)
	value := `{"val_":"` + strings.Repeat("x", valueBytes-11) + `"}`
	require.NoError(b, r.do(b.Context(), http.MethodPost, r.head+entryQuery("writeScope", "vm"), value))
	read := func(base string) turns.Call {
		return func(ctx context.Context, _ int) error {
			return r.do(ctx, http.MethodGet, base+entryQuery("readScope", "vm"), "")
		}
	}
	var n atomic.Int64
	write := func(base string) turns.Call {
		return func(ctx context.Context, writer int) error {
			text := fmt.Sprintf(`{"val_":"%-*d"}`, valueBytes-11, n.Add(1))
			return r.do(ctx, http.MethodPost, base+entryQuery("writeScope", fmt.Sprint("vm-", writer)), text)
		}
	}
	for _, clients := range []int{1, 16} {
		b.Run(fmt.Sprintf("read/%d", clients), func(b *testing.B) { turns.Compare(b, clients, read(r.head), read(r.bare)) })
	}
	sync := oneSync(b)
	b.Run("write/1", func(b *testing.B) {
		bare := write(r.bare)
		turns.Compare(b, 1, write(r.head), func(ctx context.Context, writer int) error {
			if err := sync(); err != nil {
				return err
			}
			return bare(ctx, writer)
		})
	})
	b.Run("write/64", func(b *testing.B) { turns.Compare(b, 64, write(r.head), write(r.bare)) })
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

// BenchmarkReadAmong holds a read of one entry out of many against one out of ten: of the same token, and of other tokens in the same
// context.
func BenchmarkReadAmong(b *testing.B) {
	for _, entries := range []int{1_000, 100_000, 1_000_000} {
		for _, whose := range []string{"own", "others"} {
			b.Run(fmt.Sprintf("%s/%d", whose, entries), func(b *testing.B) {
				turns.Compare(b, 1, readAmong(b, entries, whose == "own"), readAmong(b, 10, whose == "own"))
			})
		}
	}
}

// readAmong returns what reads one entry of a store that has so many others.
func readAmong(b *testing.B, entries int, own bool) turns.Call {
	store, err := bolt.Open(filepath.Join(b.TempDir(), "comet.db"))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	mine := scope.Tokens{Read: scope.MustToken(readToken), Write: scope.MustToken(writeToken)}
	owner := mine
	if !own {
		owner = scope.NewTokens()
	}
	changes := []server.Change{{Name: scope.MustName("slice", "hostsall", "one"), Tokens: mine, Value: `{"val_":"[]"}`, MayCreate: true}}
	for i := range entries {
		name := scope.MustName("slice", "hostsall", fmt.Sprint("vm-", i))
		changes = append(changes, server.Change{Name: name, Tokens: owner, Value: `{"val_":"[]"}`, MayCreate: true})
	}
	for some := range slices.Chunk(changes, 10_000) {
		_, err := store.Apply(b.Context(), some...)
		require.NoError(b, err)
	}
	return func(ctx context.Context, _ int) error {
		_, found, err := store.Read(ctx, changes[0].Name, mine.Read)
		if err == nil && !found {
			err = errors.New("it is not there")
		}
		return err
	}
}
