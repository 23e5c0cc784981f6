package server_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// A client says over TLS that it leaves before it closes the connection, and may read on for a moment: what came back then it would take
// for the head's answer, while nobody knows whether the change was made.
func TestWhoLeavesGetsNoAnswer(t *testing.T) {
	h := start(t)
	watch := "GET /watchScope?contextID=slice&wait=120s&since=" + h.store.Identity() + ".0 HTTP/1.1\r\nHost: x\r\nComet-Read-Token: " + readToken + "\r\n\r\n"
	codes := make(chan int, 1)
	store := standing{h.store, make(chan struct{}, 1)}
	h.serve(server.New(store, server.WithoutCertificateChecks(), server.WithLogger(h.logger()),
		server.WithObserver(func(a server.Answered) { codes <- a.Code })))
	for what, c := range map[string]struct {
		request string
		waits   bool // in the store
	}{
		"a change under way": {writes + "Content-Length: 3\r\n\r\ntwo", true},
		"a watch":            {watch, true},
		"half a value":       {writes + "Content-Length: 30\r\n\r\ntwo", false},
		"half a chunk":       {writes + "Transfer-Encoding: chunked\r\n\r\n30\r\ntwo", false},
	} {
		t.Run(what, func(t *testing.T) {
			client := h.dial()
			_, err := io.WriteString(client, c.request)
			require.NoError(t, err)
			if c.waits {
				<-store.entered
			}
			require.NoError(t, client.(*tls.Conn).CloseWrite())
			said, err := io.ReadAll(client)
			require.NoError(t, err)
			require.Empty(t, string(said))
			require.Equal(t, 499, <-codes)
			require.NotContains(t, h.log.String(), "level=ERROR")
		})
	}
}

// standing is a store that makes no change until whoever asks for it has left.
type standing struct {
	server.Store
	entered chan struct{}
}

func (s standing) Apply(ctx context.Context, _ ...server.Change) ([]server.Result, error) {
	s.entered <- struct{}{}
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func (s standing) Watch(ctx context.Context, id scope.ContextID, read scope.Token, families ...scope.Family) (<-chan struct{}, error) {
	s.entered <- struct{}{}
	return s.Store.Watch(ctx, id, read, families...)
}

// answered lets a head answer without a connection, and reports whether it did: who has left gets none.
func answered(head http.Handler, w http.ResponseWriter, r *http.Request) (did bool) {
	defer func() {
		if cause := recover(); cause != nil && cause != http.ErrAbortHandler {
			panic(cause)
		}
	}()
	head.ServeHTTP(w, r)
	return true
}
