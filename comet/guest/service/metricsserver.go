package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// metricsServer serves metrics on a loopback address.
type metricsServer struct {
	*http.Server
	ended chan error
}

// beginMetrics serves metrics where the settings say so.
func (r *run) beginMetrics(ctx context.Context) error {
	if r.set.MetricsListen == "" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", r.set.MetricsListen)
	if err != nil {
		return &InputError{fmt.Errorf("settings: metrics-listen: %w", err)}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(r.measured.text(time.Now())) // who does not read it to the end has no use for an error
	})
	r.metrics = &metricsServer{&http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 8 << 10}, make(chan error, 1)}
	go func() { r.metrics.ended <- r.metrics.Serve(listener) }()
	r.log().Info("metrics are served", slog.String("address", listener.Addr().String()))
	return nil
}

func (r *run) endMetrics() {
	if r.metrics == nil {
		return
	}
	r.metrics.Close()
	if err := <-r.metrics.ended; !errors.Is(err, http.ErrServerClosed) {
		r.log().Warn("metrics were not served", slog.Any("because", err))
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
