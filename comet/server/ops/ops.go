// Package ops answers the people and programs that look after a head, on an address of its own: whether it lives (/healthz), whether
// it can answer (/readyz), and what it did (/metrics, for Prometheus). No answer holds a name, a token or a value.
//
//	o := ops.New(store.Identity())
//	head := server.New(store, server.WithObserver(o.Observe))
//	o.Ready(head.Ready)
//	o.Gauge("comet_head_watches", "Watches that wait.", func() float64 { return float64(head.Watching()) })
//	err := http.Serve(listener, o)
//
// There are, beside what every Go program tells of itself,
//
//	comet_head_answers_total{call, code}                   requests answered
//	comet_head_answer_duration_seconds{call}               how long each took, a histogram; watches wait as long as they were asked to
//	comet_head_limited_total{limit}                        requests refused by a limit
//	comet_head_info{version, store}                        always 1
package ops

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/renci-nrig/comet-go/comet/server"
)

// readyTime is how long the head may take to say that it is ready.
const readyTime = 3 * time.Second

// Ops answers at the address for operators, as an [http.Handler], and counts what the head does. Its methods may be called from many
// goroutines at once.
type Ops struct {
	mux      *http.ServeMux
	registry *prometheus.Registry
	ready    atomic.Pointer[func(context.Context) error]

	answers   *prometheus.CounterVec
	durations *prometheus.HistogramVec
	limited   *prometheus.CounterVec

	mu    sync.RWMutex
	known map[answered]series // looking a series up by its labels costs more than counting
}

type answered struct {
	call string
	code int
}

type series struct {
	count    prometheus.Counter
	duration prometheus.Observer
}

// New returns what counts for a head on the store of this identity. The head is not ready until Ready says how to ask it.
func New(identity string) *Ops {
	o := &Ops{
		mux:      http.NewServeMux(),
		registry: prometheus.NewRegistry(),
		known:    map[answered]series{},
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "comet_head_answers_total", Help: "Requests answered, by call and HTTP status.",
		}, []string{"call", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "comet_head_answer_duration_seconds", Help: "How long answering took; watches wait as long as they were asked to.",
			Buckets: []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 130},
		}, []string{"call"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "comet_head_limited_total", Help: "Requests refused by a limit.",
		}, []string{"limit"}),
	}
	for _, l := range []server.Limit{server.LimitRequests, server.LimitWatches, server.LimitEntries, server.LimitSize} {
		o.limited.WithLabelValues(string(l))
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "comet_head_info", Help: "What this head is; always 1.",
		ConstLabels: prometheus.Labels{"version": server.Version, "store": strings.ToValidUTF8(identity, "?")},
	})
	info.Set(1)
	o.registry.MustRegister(o.answers, o.durations, o.limited, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	o.mux.HandleFunc("GET /readyz", o.sayReady)
	o.mux.Handle("GET /metrics", promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{}))
	return o
}

// Observe counts a request; it is for [server.WithObserver].
func (o *Ops) Observe(a server.Answered) {
	s := o.series(answered{a.Call, a.Code})
	s.count.Inc()
	s.duration.Observe(a.Took.Seconds())
	if a.Limit != "" {
		o.limited.WithLabelValues(string(a.Limit)).Inc()
	}
}

func (o *Ops) series(a answered) series {
	o.mu.RLock()
	s, ok := o.known[a]
	o.mu.RUnlock()
	if ok {
		return s
	}
	s = series{o.answers.WithLabelValues(a.call, fmt.Sprint(a.code)), o.durations.WithLabelValues(a.call)}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known[a] = s
	return s
}

// Gauge adds a metric of the caller's, whose value is asked for each time. It panics where there is one of that name already.
func (o *Ops) Gauge(name, help string, value func() float64) {
	o.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Ready says how to find out whether the head can answer.
func (o *Ops) Ready(ready func(context.Context) error) { o.ready.Store(&ready) }

func (o *Ops) sayReady(w http.ResponseWriter, r *http.Request) {
	ready := o.ready.Load()
	if ready == nil {
		say(w, http.StatusServiceUnavailable, "not ready: starting")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	if err := (*ready)(ctx); err != nil {
		say(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
		return
	}
	say(w, http.StatusOK, "ready")
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text) // whoever has gone needs no answer
}

// ServeHTTP answers /healthz, /readyz and /metrics.
func (o *Ops) ServeHTTP(w http.ResponseWriter, r *http.Request) { o.mux.ServeHTTP(w, r) }

// What a connection of an operator may take.
const (
	headerTime = 5 * time.Second
	answerTime = 30 * time.Second
	idleTime   = 2 * time.Minute
)

// Server returns a server for this address, with time limits for everything, to be run and closed by the caller.
func (o *Ops) Server() *http.Server {
	return &http.Server{Handler: o, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: answerTime, IdleTimeout: idleTime}
}
