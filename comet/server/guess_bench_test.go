package server_test

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/internal/turns"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/scope"
)

// guess is a request of somebody without the right token, in two forms of which neither may take longer than the other.
type guess struct {
	name, method, path string
	forms              [2]string // what stands in the path for %s
	token              string    // in the header, or ""
	trusted            bool      // as a client with a certificate
	code               int       // of both
}

// A wrong read token meets a slice that is there and one that is not; wrong write tokens are so at their end and at their beginning.
var (
	presence = [2]string{"slice", "ecils"}
	writers  = [2]string{writeToken[:len(writeToken)-1] + "2", "p" + writeToken[1:]}
	guesses  = []guess{
		{name: "read", method: "GET", path: "/readScope?contextID=%s&family=hostsall&Key=vm-1&readToken=" + otherToken, forms: presence, code: 200},
		{name: "list", method: "GET", path: "/enumerateScope?contextID=%s&readToken=" + otherToken, forms: presence, code: 200},
		{name: "watch", method: "GET", path: "/watchScope?contextID=%s", token: otherToken, forms: presence, code: 200},
		{name: "write", method: "POST", path: "/writeScope?contextID=%s&family=hostsall&Key=vm-1&readToken=" + otherToken + "&writeToken=" + writeToken, forms: presence, code: 400},
		{name: "delete", method: "DELETE", path: "/deleteScope?contextID=%s&family=hostsall&Key=vm-1&readToken=" + otherToken + "&writeToken=" + writeToken, forms: presence, trusted: true, code: 200},
		{name: "write-token", method: "POST", path: "/writeScope?contextID=slice&family=hostsall&Key=vm-1&readToken=" + readToken + "&writeToken=%s", forms: writers, code: 403},
	}
)

// BenchmarkGuess holds guesses of tokens against what they must not be told from, through a head over each store. Both take turns, call by
// call, in an order that is drawn. It reports the medians' ratio, which is 1 where the time tells nothing; -benchtime is a number of calls.
func BenchmarkGuess(b *testing.B) {
	b.Run("file", func(b *testing.B) {
		store, err := bolt.Open(filepath.Join(b.TempDir(), "comet.db"))
		require.NoError(b, err)
		guessAt(b, store)
	})
	b.Run("etcd", func(b *testing.B) {
		store, err := etcd.Open(b.Context(), etcdtest.Start(b, 1).URL("/comet"))
		require.NoError(b, err)
		guessAt(b, store)
	})
}

func guessAt(b *testing.B, store server.Store) {
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	tokens := scope.Tokens{Read: scope.MustToken(readToken), Write: scope.MustToken(writeToken)}
	for i := range 10 {
		name := scope.MustName("slice", "hostsall", fmt.Sprint("vm-", i))
		_, err := store.Apply(b.Context(), server.Change{Name: name, Tokens: tokens, Value: "one", MayCreate: true})
		require.NoError(b, err)
	}
	quiet := server.WithLogger(slog.New(slog.DiscardHandler))
	strict, open := server.New(store, quiet), server.New(store, quiet, server.WithoutCertificateChecks())
	for _, g := range guesses {
		head := strict
		if g.trusted {
			head = open
		}
		b.Run(g.name, func(b *testing.B) { g.compare(b, head) })
	}
}

func (g guess) compare(b *testing.B, head http.Handler) {
	var took [2][]float64
	for b.Loop() {
		first := rand.N(2)
		for _, form := range []int{first, 1 - first} {
			took[form] = append(took[form], g.ask(b, head, form))
		}
	}
	b.ReportMetric(turns.Median(took[0])/turns.Median(took[1]), "of-other")
	b.ReportMetric(turns.Median(took[0]), "ns/call")
	b.ReportMetric(0, "ns/op") // which would be of both together
}

// ask returns how many nanoseconds the head took to answer one form.
func (g guess) ask(b *testing.B, head http.Handler, form int) float64 {
	path := strings.Replace(g.path, "%s", g.forms[form], 1)
	r := httptest.NewRequestWithContext(b.Context(), g.method, path, g.body())
	if g.token != "" {
		r.Header.Set("Comet-Read-Token", g.token)
	}
	w := httptest.NewRecorder()
	began := time.Now()
	head.ServeHTTP(w, r)
	took := time.Since(began)
	if w.Code != g.code {
		b.Fatalf("%s %s: %d: %s", g.method, g.name, w.Code, w.Body)
	}
	return float64(took)
}

func (g guess) body() io.Reader {
	if g.method == http.MethodPost {
		return strings.NewReader("x")
	}
	return http.NoBody
}
