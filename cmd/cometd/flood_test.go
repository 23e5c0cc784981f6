package main

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A client that floods a head, as operators limit it, is told to wait; what it has written stays, and others are answered. Nothing of
// it stands in the log.
func TestAFloodIsToldToWait(t *testing.T) {
	h := serveHead(t, t.TempDir(), nil, "--max-requests", "20", "--max-value", "100", "--max-entries", "3")
	stranger := *h
	stranger.ready = map[string]string{"cacert": h.ready["cacert"]}
	stranger.client = stranger.newClient()
	_, _, err := h.call("POST", "/writeScope", "vm", "one")
	require.NoError(t, err)

	var mu sync.Mutex
	codes := map[int]int{}
	var flood sync.WaitGroup
	for range 8 {
		flood.Go(func() {
			for range 100 {
				code, _, err := h.call("POST", "/writeScope", "vm", strings.Repeat("Planted", 100))
				mu.Lock()
				codes[code]++
				mu.Unlock()
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	flood.Wait()
	require.Equal(t, 800, codes[413]+codes[429], "%v", codes)
	require.NotZero(t, codes[413])
	require.NotZero(t, codes[429])
	require.Equal(t, map[string]string{"vm": "one"}, stranger.entries())
	h.terminate()
	require.NotContains(t, h.log.String(), "Planted")
	require.NotContains(t, h.log.String(), "level=ERROR")
}
