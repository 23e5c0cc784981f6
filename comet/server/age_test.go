package server_test

import (
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
)

const expiry = 24 * time.Hour

func ageing(t *testing.T, test func(clocked)) {
	path := filepath.Join(t.TempDir(), "comet.db")
	synctest.Test(t, func(t *testing.T) {
		store, err := bolt.Open(path, bolt.WithExpiry(expiry))
		require.NoError(t, err)
		defer store.Close()
		out := newLookout(store)
		test(clocked{t, out, server.New(out, server.WithLogger(slog.New(slog.DiscardHandler)))})
	})
}

// Who comes back with the state of a time before all expired is told that nothing is there, not that each entry was removed.
func TestWatchesAreToldOfExpiryAsAWhole(t *testing.T) {
	ageing(t, func(c clocked) {
		c.apply("f/a=1", "f/b=1")
		pass(2*expiry + time.Minute) // and nobody looks
		w := c.watch(c.Context(), 1, "", readToken)
		require.Zero(c, w.took())
		require.True(c, *w.value.Whole)
		require.Empty(c, w.value.lines())
		require.NotContains(c, w.answer.raw, "removed")
		require.Equal(c, c.store.Identity()+".2", w.value.Rev)
		require.Positive(c, c.watch(c.Context(), 2, "", readToken).took(), "it is told once")
	})
}

func TestWaitingRenews(t *testing.T) {
	ageing(t, func(c clocked) {
		c.apply("f/a=1", "f/b=1")
		for began := time.Now(); time.Since(began) < 5*expiry; {
			w := c.watch(c.Context(), 1, "&wait=120s", readToken)
			w.took()
			require.False(c, *w.value.Whole)
			require.Empty(c, w.value.lines())
			require.Equal(c, c.store.Identity()+".1", w.value.Rev)
		}
	})
}

// Whoever is answered that nothing changed has looked, too.
func TestNotModifiedRenews(t *testing.T) {
	ageing(t, func(c clocked) {
		c.apply("f/a=1")
		get := func(path, tag string) (int, string) {
			r := httptest.NewRequestWithContext(c.Context(), "GET", path, nil)
			r.Header.Set("Comet-Read-Token", readToken)
			r.Header.Set("If-None-Match", tag)
			w := httptest.NewRecorder()
			c.head.ServeHTTP(w, r)
			return w.Code, w.Header().Get("ETag")
		}
		for _, path := range []string{"/readScope?contextID=slice&family=f&Key=a", "/enumerateScope?contextID=slice"} {
			_, tag := get(path, "")
			for range 10 {
				pass(expiry)
				code, same := get(path, tag)
				require.Equal(c, 304, code)
				require.Equal(c, tag, same)
			}
		}
	})
}
