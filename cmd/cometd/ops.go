package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/ops"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func opsFlags() []urfave.Flag {
	return []urfave.Flag{
		stringFlag("metrics-listen", "answer /healthz, /readyz and /metrics at `ADDR`, without TLS and to everybody who reaches it; else nowhere"),
		boolFlag("access-log", "log every request, at level info; else at level debug"),
		&urfave.BoolFlag{Name: "audit-log", Usage: "log every change of an entry, who made it, and every refusal; --audit-log=false does not", EnvVars: cli.Env("audit-log"), Value: true},
	}
}

// operations answer operators while a head runs; the zero value nobody.
type operations struct {
	listener net.Listener
	ops      *ops.Ops
}

// listenForOperators opens the address of --metrics-listen, where there is one.
func listenForOperators(c *urfave.Context, address string) (operations, error) {
	if address == "" {
		return operations{}, nil
	}
	l, err := new(net.ListenConfig).Listen(c.Context, "tcp", address)
	if err != nil {
		return operations{}, fmt.Errorf("%w; give another address with --metrics-listen", err)
	}
	return operations{listener: l}, nil
}

// headOptions make the head tell what it does.
func (o *operations) headOptions(store server.Store) []server.Option {
	if o.listener == nil {
		return nil
	}
	o.ops = ops.New(store.Identity())
	return []server.Option{server.WithObserver(o.ops.Observe)}
}

// serve answers until end is called.
func (o *operations) serve(ctx context.Context, head *server.Head, live *tlsconfig.Live, log *slog.Logger) (end func()) {
	if o.listener == nil {
		return func() {}
	}
	o.ops.Ready(func(asking context.Context) error {
		if ctx.Err() != nil {
			return errors.New("ending")
		}
		return head.Ready(asking)
	})
	o.ops.Gauge("comet_head_watches", "Watches that wait at this moment.", func() float64 { return float64(head.Watching()) })
	o.ops.Gauge("comet_head_certificate_expiry_timestamp_seconds", "When the first of the certificates in use expires, that of the CA included.",
		func() float64 { return firstExpiry(live.Status()) })
	o.ops.Gauge("comet_head_certificate_reload_failed", "1 where files of certificates were replaced and cannot be used.", func() float64 {
		if live.Status().Error != "" {
			return 1
		}
		return 0
	})
	s, ended := o.ops.Server(), make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Serve(o.listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("operators get no more answers", "address", o.listener.Addr().String(), "error", err)
		}
	}()
	return func() {
		s.Close()
		<-ended
	}
}

func (o *operations) close() {
	if o.listener != nil {
		o.listener.Close()
	}
}

func firstExpiry(s tlsconfig.Status) (seconds float64) {
	for _, f := range s.Files {
		for _, c := range f.Certificates {
			if at := float64(c.NotAfter.Unix()); seconds == 0 || at < seconds {
				seconds = at
			}
		}
	}
	return seconds
}
