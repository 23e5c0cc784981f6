package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/settings"
)

// metricsServer serves metrics on a loopback address.
type metricsServer struct {
	http.Server
	ended chan struct{}
}

// beginMetrics serves metrics where the settings say so, and returns nil where they do not.
func (r *run) beginMetrics(ctx context.Context, set settings.Settings) (*metricsServer, error) {
	if set.MetricsListen == "" {
		return nil, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", set.MetricsListen)
	if err != nil {
		return nil, fmt.Errorf("settings: metrics-listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(r.measured.text(time.Now())) // who does not read it to the end has no use for an error
	})
	m := &metricsServer{http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 8 << 10}, make(chan struct{})}
	go func() {
		err := m.Serve(listener)
		if !errors.Is(err, http.ErrServerClosed) {
			r.log().Warn("metrics are not served any more", slog.Any("because", err))
		}
		close(m.ended)
	}()
	r.log().Info("metrics are served", slog.String("address", listener.Addr().String()))
	return m, nil
}

// end ends the server, where there is one.
func (m *metricsServer) end() {
	if m != nil {
		m.Close()
		<-m.ended
	}
}

// writeMetrics writes the metrics file where the settings name one.
func (r *run) writeMetrics() error {
	if r.set.MetricsFile == "" {
		return nil
	}
	if err := writeBelow(r.Root, r.set.MetricsFile, r.measured.text(time.Now())); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
