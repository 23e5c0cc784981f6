package cometprom_test

import (
	"crypto/tls"
	"fmt"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/cometprom"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/scope"
)

// gathered is every counter by its labels, and of histograms how many values they have seen.
func gathered(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var l []string
			for _, pair := range m.GetLabel() {
				l = append(l, pair.GetName()+"="+pair.GetValue())
			}
			name := f.GetName() + "{" + strings.Join(l, ",") + "}"
			values[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

func TestAttemptsAreCounted(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	observe, err := cometprom.New(registry)
	require.NoError(t, err)

	const head = "https://a:8111"
	for range 3 {
		observe(comet.Attempt{Op: "read", Head: head, Status: 200, Duration: 30 * time.Millisecond, Class: comet.ClassOK})
	}
	observe(comet.Attempt{Op: "read", Head: head, Duration: time.Second, Class: comet.ClassTimeout})
	observe(comet.Attempt{Op: "version", Head: head, Duration: time.Second, Class: comet.ClassConnect, Probe: true})

	assert.Equal(t, map[string]float64{
		"comet_client_attempts_total{class=ok,head=https://a:8111,op=read}":      3,
		"comet_client_attempts_total{class=timeout,head=https://a:8111,op=read}": 1,
		"comet_client_attempt_duration_seconds{head=https://a:8111,op=read}":     4,
		"comet_client_probes_total{class=connect,head=https://a:8111}":           1,
	}, gathered(t, registry))

	families, err := registry.Gather()
	require.NoError(t, err)
	require.Equal(t, "comet_client_attempt_duration_seconds", families[0].GetName())
	assert.InDelta(t, 1.09, families[0].GetMetric()[0].GetHistogram().GetSampleSum(), 1e-9, "seconds")
}

// A head may be written in any bytes; the registry would panic.
func TestAnOddHeadIsCounted(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	observe, err := cometprom.New(registry)
	require.NoError(t, err)
	observe(comet.Attempt{Op: "read", Head: "https://\xff:8111", Class: comet.ClassConnect})
	assert.EqualValues(t, 1, gathered(t, registry)["comet_client_attempts_total{class=connect,head=https://?:8111,op=read}"])
}

// What a real client reports, over heads of which one is ill: every attempt is there, and no token.
func TestAClientIsCounted(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	observe, err := cometprom.New(registry)
	require.NoError(t, err)
	heads := comettest.Start(t, 2)
	client := heads.Client(comet.WithObserver(observe))
	name := scope.MustName("slice", "hostsall", "vm")
	tokens := scope.Tokens{Read: scope.MustToken("PlantedRead1"), Write: scope.MustToken("PlantedWrite1")}
	_, err = client.Write(t.Context(), name, tokens, []byte(`{"val_":"[]"}`))
	require.NoError(t, err)
	for i := range 2 {
		heads.Set(i, comettest.Status(503).On("readScope"))
	}
	_, err = client.Read(t.Context(), name, tokens.Read)
	require.ErrorIs(t, err, comet.ErrUnavailable)

	values := gathered(t, registry)
	written, failed := 0.0, 0.0
	for i := range 2 {
		written += values[fmt.Sprintf("comet_client_attempts_total{class=ok,head=%s,op=write}", heads.URL(i))]
		failed += values[fmt.Sprintf("comet_client_attempts_total{class=status,head=%s,op=read}", heads.URL(i))]
	}
	assert.EqualValues(t, 1, written)
	assert.EqualValues(t, heads.Calls(0, "readScope")+heads.Calls(1, "readScope"), failed)
	for name := range values {
		assert.NotContains(t, name, "Planted")
	}
}

func TestClientsShareARegistry(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	for range 2 {
		observe, err := cometprom.New(registry)
		require.NoError(t, err)
		observe(comet.Attempt{Op: "read", Head: "https://a:8111", Class: comet.ClassOK})
	}
	assert.EqualValues(t, 2, gathered(t, registry)["comet_client_attempts_total{class=ok,head=https://a:8111,op=read}"])
}

func TestATakenNameIsAnError(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "comet_client_probes_total", Help: "Something else."}))
	observe, err := cometprom.New(registry)
	require.ErrorContains(t, err, "comet_client_probes_total")
	assert.Nil(t, observe)
}

func TestCountingAllocatesNothing(t *testing.T) {
	observe, err := cometprom.New(prometheus.NewRegistry())
	require.NoError(t, err)
	a := comet.Attempt{Op: "read", Head: "https://a:8111", Status: 200, Duration: time.Millisecond, Class: comet.ClassOK}
	assert.Zero(t, testing.AllocsPerRun(100, func() { observe(a) }))
}

func BenchmarkObserve(b *testing.B) {
	observe, err := cometprom.New(prometheus.NewRegistry())
	require.NoError(b, err)
	a := comet.Attempt{Op: "read", Head: "https://a:8111", Status: 200, Duration: time.Millisecond, Class: comet.ClassOK}
	b.ReportAllocs()
	for b.Loop() {
		observe(a)
	}
}

func ExampleNew() {
	registry := prometheus.NewRegistry()
	observe, err := cometprom.New(registry)
	if err != nil {
		log.Fatal(err)
	}
	client, err := comet.New("https://a.example.net:8111/,https://b.example.net:8111/", &tls.Config{MinVersion: tls.VersionTLS12}, comet.WithObserver(observe))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// What the client does for each attempt:
	observe(comet.Attempt{Op: "read", Head: client.Heads()[0], Status: 200, Duration: 3 * time.Millisecond, Class: comet.ClassOK})

	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range families {
		fmt.Print(f.GetName())
		for _, label := range f.GetMetric()[0].GetLabel() {
			fmt.Printf(" %s=%s", label.GetName(), label.GetValue())
		}
		fmt.Println()
	}
	// Output:
	// comet_client_attempt_duration_seconds head=https://a.example.net:8111 op=read
	// comet_client_attempts_total class=ok head=https://a.example.net:8111 op=read
}
