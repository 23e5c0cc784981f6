// Package cometprom counts what a comet.Client does, as Prometheus metrics:
//
//	observe, err := cometprom.New(prometheus.DefaultRegisterer)
//	if err != nil {
//		return err
//	}
//	client, err := comet.New(heads, tlsConfig, comet.WithObserver(observe))
//
// There are
//
//	comet_client_attempts_total{op, head, class}           requests made for callers
//	comet_client_attempt_duration_seconds{op, head}        how long each of them took, a histogram
//	comet_client_probes_total{head, class}                 requests made beside the callers', to learn about a head
//
// op is the operation, head the base URL of the head, class what came of it (comet.Class): everything but "ok" means that the head
// gave no answer that settles the call, and "tls" that one side does not trust the other. No label carries anything else: nothing
// of names, tokens or values. Useful questions are
//
//	sum by (head, class) (rate(comet_client_attempts_total{class!="ok"}[5m]))
//	histogram_quantile(0.99, sum by (le, op) (rate(comet_client_attempt_duration_seconds_bucket[5m])))
//
// It stands beside the client and not in it, so that importing comet stays light.
package cometprom

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/renci-nrig/comet-go/comet"
)

// buckets reach, in seconds, from a head next door to a watch that waits two minutes and answers then.
var buckets = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 70, 130}

// New registers the metrics and returns what feeds them, for comet.WithObserver. Several clients may share one registry: what is
// registered already is used. The error is one of the registry's, for a name that something else took. The function is safe for
// concurrent use and allocates nothing once it has seen an operation, head and class.
func New(registry prometheus.Registerer) (func(comet.Attempt), error) {
	m := &metrics{known: map[labels]series{}}
	var errs [3]error
	m.attempts, errs[0] = register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "comet_client_attempts_total",
		Help: "Requests to a head made for callers, by operation and by what came of them.",
	}, []string{"op", "head", "class"}))
	m.durations, errs[1] = register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "comet_client_attempt_duration_seconds",
		Help:    "How long requests to a head made for callers took, connecting included.",
		Buckets: buckets,
	}, []string{"op", "head"}))
	m.probes, errs[2] = register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "comet_client_probes_total",
		Help: "Requests made to learn whether a head is well again, by what came of them.",
	}, []string{"head", "class"}))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("cometprom: %w", err)
	}
	return m.observe, nil
}

// register registers a collector, or returns the one of the same kind that is registered already.
func register[C prometheus.Collector](registry prometheus.Registerer, collector C) (C, error) {
	err := registry.Register(collector)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := already.ExistingCollector.(C); ok {
			return same, nil
		}
	}
	return collector, err
}

type metrics struct {
	attempts  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	probes    *prometheus.CounterVec

	mu    sync.RWMutex
	known map[labels]series // looking a series up by its labels costs more than counting
}

type labels struct {
	op, head string
	class    comet.Class
	probe    bool
}

// series is what one attempt is counted in.
type series struct {
	count    prometheus.Counter
	duration prometheus.Observer // nil for probes
}

func (m *metrics) observe(a comet.Attempt) {
	s := m.series(labels{a.Op, a.Head, a.Class, a.Probe})
	s.count.Inc()
	if s.duration != nil {
		s.duration.Observe(a.Duration.Seconds())
	}
}

func (m *metrics) series(l labels) series {
	m.mu.RLock()
	s, ok := m.known[l]
	m.mu.RUnlock()
	if ok {
		return s
	}
	head := strings.ToValidUTF8(l.head, "?") // the registry panics on anything else
	if l.probe {
		s.count = m.probes.WithLabelValues(head, string(l.class))
	} else {
		s.count = m.attempts.WithLabelValues(l.op, head, string(l.class))
		s.duration = m.durations.WithLabelValues(l.op, head)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[l] = s
	return s
}
