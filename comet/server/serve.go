package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// What a connection may take. A watch sets other times for itself.
const (
	headerTime   = 10 * time.Second // for the handshake, and then for a request's header
	requestTime  = time.Minute      // for a request with its body
	answerTime   = 2 * time.Minute  // from the header to the end of the answer
	idleTime     = 3 * time.Minute  // between two requests, longer than clients keep theirs
	maxHeader    = 64 << 10         // bytes; the longest names and tokens, percent-encoded, take 15 KiB
	shutdownTime = 10 * time.Second // for requests under way when the end comes
)

// Serve answers with handler on every one of the listeners, over TLS by the configuration, until ctx is done; then it takes no
// more connections, sends waiting watchers to other heads, gives other requests under way up to ten seconds, and returns nil. It
// also ends, with the error, when a listener fails. The listeners are closed in any case. A nil configuration serves plain HTTP.
//
// Log lines go where a *Head logs, for other handlers to slog.Default(); those about single clients, such as failed handshakes, at
// debug level.
func Serve(ctx context.Context, handler http.Handler, config *tls.Config, listeners ...net.Listener) error {
	log := slog.Default()
	if h, ok := handler.(*Head); ok {
		log = h.log
	}
	s := newServer(handler, config, log)
	idle := &unused{conns: map[net.Conn]struct{}{}}
	s.ConnState = idle.follow
	s.RegisterOnShutdown(idle.close) // called once no more connections are taken
	dismissWatchers(s)
	failed := make(chan error, len(listeners))
	var running sync.WaitGroup
	for _, l := range listeners {
		running.Go(func() {
			if err := serveOne(s, l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("listen on %s: %w", l.Addr(), err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stop(s)
	running.Wait()
	return err
}

func newServer(handler http.Handler, config *tls.Config, to *slog.Logger) *http.Server {
	s := &http.Server{
		Handler:           handler,
		TLSConfig:         config,
		ConnContext:       ConnContext,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(errorLog{to}, "", 0),
		Protocols:         new(http.Protocols),

		DisableGeneralOptionsHandler: true, // OPTIONS * is a call that a head does not know, as any other
	}
	s.Protocols.SetHTTP1(true)
	return s
}

func serveOne(s *http.Server, l net.Listener) error {
	defer l.Close()
	if s.TLSConfig == nil {
		return s.Serve(l)
	}
	return s.ServeTLS(l, "", "")
}

// stop ends s gently, and after a while not.
func stop(s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		s.Close()
	}
}

// errorLog takes the lines that net/http logs. Most are about what a client did wrong; a panic is ours.
type errorLog struct{ to *slog.Logger }

func (e errorLog) Write(line []byte) (int, error) {
	text := string(bytes.TrimSpace(line))
	level := slog.LevelDebug
	if strings.Contains(text, "panic serving") || strings.Contains(text, "Accept error") {
		level = slog.LevelError
	}
	e.to.Log(context.Background(), level, "http server", "line", text)
	return len(line), nil
}
