package service

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// measured is what is counted of a service. Safe for concurrent use.
type measured struct {
	mu        sync.Mutex
	last      Status
	heads     map[headKey]count
	changes   map[string]int // steps made, by module
	failures  map[string]int // passes that failed, by module
	converged time.Duration  // after how long all was well for the first time
}

type headKey struct{ head, class string }

type count struct {
	attempts int
	seconds  float64
}

// attempt counts an attempt of a client.
func (m *measured) attempt(a comet.Attempt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.heads == nil {
		m.heads = map[headKey]count{}
	}
	k := headKey{a.Head, string(a.Class)}
	c := m.heads[k]
	m.heads[k] = count{c.attempts + 1, c.seconds + a.Duration.Seconds()}
}

// pass counts what a pass did.
func (m *measured) pass(st guest.Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changes == nil {
		m.changes, m.failures = map[string]int{}, map[string]int{}
	}
	for _, module := range st.Modules {
		m.changes[module.Name] += len(module.Done)
		if module.State == guest.StateFailed && module.Error != "" { // and not long ago, for good
			m.failures[module.Name]++
		}
	}
}

// status takes up how things are.
func (m *measured) status(st Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = st
	well := st.State == StateRunning && len(st.Modules) > 0
	for _, module := range st.Modules {
		well = well && (module.State == guest.StateOK || idle(module))
	}
	if well && m.converged == 0 {
		m.converged = time.Since(st.Since)
	}
}

// text writes the metrics in the text format of Prometheus.
func (m *measured) text(now time.Time) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &metricsText{}
	w.family("comet_guest_info", "gauge", "The guest's version.")
	w.add(1, "version", m.last.Version)
	w.family("comet_guest_running", "gauge", "1 while the guest knows who the VM is and works.")
	w.add(truth(m.last.State == StateRunning))
	w.family("comet_guest_heard_age_seconds", "gauge", "How long ago a head of a context answered last, or, where none ever did, the guest was started.")
	for _, c := range m.last.Contexts {
		heard := c.Heard
		if heard.IsZero() {
			heard = m.last.Since
		}
		w.add(now.Sub(heard).Seconds(), "context", c.Context)
	}
	w.family("comet_guest_module_ok", "gauge", "1 while a module has done all that there is to do, 0 while it has not; modules that are off, only observe, or cannot work here, are left out.")
	w.family("comet_guest_module_count", "gauge", "How many hosts, keys, users… are in place.")
	w.family("comet_guest_left_out", "gauge", "How many entries or elements are left out because they are wrong or hostile.")
	w.family("comet_guest_doubted", "gauge", "How many answers of heads are not believed.")
	for _, module := range m.last.Modules {
		if !idle(module) {
			if module.Mode != guest.Observe {
				w.addTo("comet_guest_module_ok", truth(module.State == guest.StateOK), "module", module.Name)
			}
			w.addTo("comet_guest_module_count", float64(module.Count), "module", module.Name)
			w.addTo("comet_guest_left_out", float64(notes(module, frame.LeftOut)), "module", module.Name)
			w.addTo("comet_guest_doubted", float64(notes(module, frame.Doubted)), "module", module.Name)
		}
	}
	w.family("comet_guest_changes_total", "counter", "Changes made to the machine or to own entries.")
	w.family("comet_guest_failures_total", "counter", "Passes in which a module failed.")
	for _, name := range slices.Sorted(maps.Keys(m.changes)) {
		w.addTo("comet_guest_changes_total", float64(m.changes[name]), "module", name)
		w.addTo("comet_guest_failures_total", float64(m.failures[name]), "module", name)
	}
	if m.converged > 0 {
		w.family("comet_guest_converged_seconds", "gauge", "How long after the guest's start all was well for the first time.")
		w.add(m.converged.Seconds())
	}
	m.headsText(w)
	return w.bytes()
}

func (m *measured) headsText(w *metricsText) {
	w.family("comet_guest_head_attempts_total", "counter", "Attempts at a head, by how they ended.")
	w.family("comet_guest_head_seconds_total", "counter", "How long these attempts took together.")
	keys := slices.SortedFunc(maps.Keys(m.heads), func(a, b headKey) int {
		return strings.Compare(a.head+" "+a.class, b.head+" "+b.class)
	})
	for _, k := range keys {
		w.addTo("comet_guest_head_attempts_total", float64(m.heads[k].attempts), "head", k.head, "class", k.class)
		w.addTo("comet_guest_head_seconds_total", m.heads[k].seconds, "head", k.head, "class", k.class)
	}
}

// idle reports whether a module has nothing to do with how things are.
func idle(m guest.ModuleStatus) bool {
	return m.State == guest.StateOff || m.State == guest.StateNotHere
}

func notes(m guest.ModuleStatus, kind frame.NoteKind) (n int) {
	for _, note := range m.Notes {
		if note.Kind == kind {
			n++
		}
	}
	return n
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// metricsText is metrics in the text format of Prometheus. The format is small, and the library for it is larger than the guest.
type metricsText struct {
	names []string
	heads map[string]string
	lines map[string][]string
}

// family begins a metric; add adds to the one that was begun last.
func (w *metricsText) family(name, kind, help string) {
	if w.heads == nil {
		w.heads, w.lines = map[string]string{}, map[string][]string{}
	}
	w.names = append(w.names, name)
	w.heads[name] = fmt.Sprintf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (w *metricsText) add(value float64, labels ...string) {
	w.addTo(w.names[len(w.names)-1], value, labels...)
}

func (w *metricsText) addTo(name string, value float64, labels ...string) {
	var pairs []string
	for i := 0; i < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+escape.Replace(labels[i+1])+`"`)
	}
	text := name
	if len(pairs) > 0 {
		text += "{" + strings.Join(pairs, ",") + "}"
	}
	w.lines[name] = append(w.lines[name], fmt.Sprintf("%s %g\n", text, value))
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (w *metricsText) bytes() []byte {
	var b bytes.Buffer
	for _, name := range w.names {
		if lines := w.lines[name]; len(lines) > 0 {
			b.WriteString(w.heads[name] + strings.Join(lines, ""))
		}
	}
	return b.Bytes()
}
