package service_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/comet/internal/logtest"
)

// samples are metrics as Prometheus reads them, by name, label and its value.
type samples map[[3]string]float64

func parse(t *testing.T, text []byte) samples {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	require.NoError(t, err, "%s", text)
	readme, err := os.ReadFile("../../../cmd/comet-guest/README.md")
	require.NoError(t, err)
	all := samples{}
	for name, f := range families {
		assert.NotEmpty(t, f.GetHelp(), name)
		assert.Contains(t, string(readme), "`"+name, "people find every metric there")
		assert.Equal(t, strings.HasSuffix(name, "_total"), f.GetType().String() == "COUNTER", name)
		for _, m := range f.GetMetric() {
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue()
			if len(m.GetLabel()) == 0 {
				all[[3]string{name}] = value
			}
			for _, l := range m.GetLabel() {
				all[[3]string{name, l.GetName(), l.GetValue()}] += value
			}
		}
	}
	return all
}

// served waits until the guest has said as often where its metrics are, and returns the last place.
func served(t *testing.T, log *logtest.Buffer, times int) (url string) {
	t.Helper()
	require.Eventually(t, func() bool {
		all := regexp.MustCompile(`msg="metrics are served" address=(\S+)`).FindAllStringSubmatch(log.String(), -1)
		if len(all) == times {
			url = "http://" + all[times-1][1] + "/metrics"
		}
		return url != ""
	}, waitFor, tick, "%s", log)
	return url
}

func scrape(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", text)
	assert.Equal(t, "text/plain; version=0.0.4; charset=utf-8", resp.Header.Get("Content-Type"))
	return text
}

// written waits until the metrics file has a text in it, and returns all of it.
func (w *world) written(part string) []byte {
	w.Helper()
	require.Eventually(w, func() bool { return strings.Contains(w.file("metrics/comet.prom"), part) }, waitFor, tick)
	return []byte(w.file("metrics/comet.prom"))
}

// logged is a service, and what it logs.
func (w *world) logged() (*service.Service, *logtest.Buffer) {
	log := new(logtest.Buffer)
	s := w.service()
	s.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return s, log
}

// What is only observed is never done, and a guest that no head has ever told anything has waited since its start.
func TestMetricsOfAGuestThatOnlyLooksAndHearsNothing(t *testing.T) {
	w := newWorld(t)
	w.set(func(s *settings.Settings) {
		s.MetricsFile = "/metrics/comet.prom"
		s.Modules["hosts"] = guest.Observe
	}, nil)
	w.tell(w.ini(w.self("own")))
	w.heads.Stop(0)
	s, _ := w.logged()
	r := w.start(s)
	got := parse(t, w.written("comet_guest_module_ok{module=\"pubkeys\"} 0\n"))
	assert.NotContains(t, got, [3]string{"comet_guest_module_ok", "module", "hosts"})
	assert.Contains(t, got, [3]string{"comet_guest_module_count", "module", "hosts"})
	age := [3]string{"comet_guest_heard_age_seconds", "context", w.self("own").SliceID.String()}
	require.Contains(t, got, age)
	assert.InDelta(t, 30, got[age], 31)
	r.stop()
}

func TestMetricsAreServedAndWritten(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	w := newWorld(t)
	w.set(func(s *settings.Settings) { s.MetricsListen, s.MetricsFile = "127.0.0.1:0", "/metrics/comet.prom" }, nil)
	w.peer("evil", "127.0.0.1")
	w.tell(w.ini(w.self("own")))
	s, log := w.logged()
	r := w.start(s)
	w.status(knows(1))
	url := served(t, log, 1)
	require.Regexp(t, `^http://127\.0\.0\.1:`, url)

	for place, text := range map[string][]byte{"served": scrape(t, url), "written": w.written("comet_guest_module_ok{module=\"hosts\"} 1\n")} {
		got := parse(t, text)
		of := func(name, label, is string) float64 {
			require.Contains(t, got, [3]string{name, label, is}, place)
			return got[[3]string{name, label, is}]
		}
		for name, want := range map[string]float64{"module_ok": 1, "module_count": 1, "left_out": 1, "doubted": 0, "failures_total": 0} {
			assert.Equal(t, want, of("comet_guest_"+name, "module", "hosts"), "%s: %s", place, name)
		}
		assert.Equal(t, 1.0, of("comet_guest_info", "version", "1.2.3"), place)
		assert.Equal(t, 1.0, of("comet_guest_running", "", ""), place)
		assert.InDelta(t, 30, of("comet_guest_heard_age_seconds", "context", w.self("own").SliceID.String()), 30, place)
		for _, name := range []string{"attempts", "seconds"} {
			assert.Positive(t, of("comet_guest_head_"+name+"_total", "class", "ok"), place)
		}
		assert.Positive(t, of("comet_guest_changes_total", "module", "hosts"), place)
		assert.NotContains(t, got, [3]string{"comet_guest_module_count", "module", "hostname"}, "it is off")
	}
	info, err := os.Stat(filepath.Join(w.root, "metrics/comet.prom"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode(), "a node exporter is not root")

	resp, err := http.Post(url, "text/plain", nil)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
	r.stop()
	_, err = http.Get(url)
	assert.Error(t, err)
}

// Passes are counted that were made while the status of an earlier one was being told.
func TestPassesAreCountedThatNobodyWasToldOf(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	w := newWorld(t)
	w.set(func(s *settings.Settings) { s.MetricsListen = "127.0.0.1:0" }, nil)
	w.tell(w.ini(w.self("own")))
	s, log := w.logged()
	telling, told := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(telling); <-told })
	s.Notify = func(state string) {
		if strings.HasPrefix(state, "STATUS=1 hosts") {
			once()
		}
	}
	r := w.start(s)
	<-telling
	for i, name := range []string{"second", "third", "fourth"} {
		w.peer(name, "10.0.1."+strconv.Itoa(i+1))
		require.Eventually(t, func() bool { return strings.Contains(w.file("etc/hosts"), name) }, waitFor, tick)
	}
	close(told)
	url := served(t, log, 1)
	require.Eventually(t, func() bool {
		return parse(t, scrape(t, url))[[3]string{"comet_guest_changes_total", "module", "hosts"}] >= 4
	}, waitFor, tick)
	r.stop()
}

// While nobody says who the VM is there are metrics too, that somebody may be told.
func TestMetricsOfAGuestThatSearches(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	w := newWorld(t)
	w.set(func(s *settings.Settings) { s.MetricsListen = "localhost:0" }, nil)
	s, log := w.logged()
	r := w.start(s)
	w.status(func(st service.Status) bool { return st.State == service.StateSearching })
	got := parse(t, scrape(t, served(t, log, 1)))
	require.Contains(t, got, [3]string{"comet_guest_running"})
	assert.Zero(t, got[[3]string{"comet_guest_running"}])
	r.stop()
}

// What settings say of places is taken up without a restart. A place that cannot be had stays where it was.
func TestPlacesAreTakenUp(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	w := newWorld(t)
	w.set(func(s *settings.Settings) { s.MetricsListen = "127.0.0.1:0" }, nil)
	before, err := w.load()
	require.NoError(t, err)
	w.tell(w.ini(w.self("own")))
	s, log := w.logged()
	r := w.start(s)
	w.status(knows(1))
	first := served(t, log, 1)

	w.set(func(s *settings.Settings) {
		s.MetricsListen, s.MetricsFile, s.StatusFile = "localhost:0", "/metrics/comet.prom", "/run/other/status.json"
	}, nil)
	r.reload <- struct{}{}
	w.status(knows(1))
	second := served(t, log, 2)
	require.NotEqual(t, first, second)
	parse(t, scrape(t, second))
	_, err = http.Get(first)
	require.Error(t, err)
	w.written("comet_guest_module_ok")
	assert.Empty(t, w.file(before.StatusFile), "what is true no more is not there")
	require.ErrorIs(t, w.service().Run(t.Context(), nil), service.ErrRunning)

	w.set(func(s *settings.Settings) { // where the head is
		s.MetricsListen, s.StatusFile = strings.TrimPrefix(w.heads.URL(0), "https://"), "/run/third/status.json"
	}, nil)
	r.reload <- struct{}{}
	w.status(knows(1))
	assert.Contains(t, log.String(), "metrics are served where they were before")
	scrape(t, second)

	w.set(func(s *settings.Settings) { s.MetricsListen, s.StatusFile = "", "/run/fourth/status.json" }, nil)
	r.reload <- struct{}{}
	w.status(knows(1))
	_, err = http.Get(second)
	require.Error(t, err)
	r.stop()
}
