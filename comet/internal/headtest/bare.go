package headtest

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// StartBeside starts a head, and beside it, in the same process, net/http that stores nothing and answers as many bytes to a GET and to
// a POST as is said here.
func StartBeside(t testing.TB, get, post int) (head, bare string, config *tls.Config) {
	t.Helper()
	h := New(t)
	return h.URL, fmt.Sprintf("%s/%d/%d", h.bare, get, post), h.TLS()
}

// serveBare answers requests whose paths begin with the two numbers of StartBeside.
func serveBare(l net.Listener, config *tls.Config) {
	body := []byte(strings.Repeat("x", 64<<10))
	s := &http.Server{TLSConfig: config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		get, rest, _ := strings.Cut(r.URL.Path[1:], "/")
		post, _, _ := strings.Cut(rest, "/")
		if r.Method == http.MethodPost {
			get = post
		}
		n, err := strconv.Atoi(get)
		if err != nil || n > len(body) {
			http.NotFound(w, r)
			return
		}
		w.Write(body[:n])
	})}
	s.ServeTLS(l, "", "") // until the process ends
}
