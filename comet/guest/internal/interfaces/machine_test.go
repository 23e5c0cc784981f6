package interfaces_test

import (
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/interfaces"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

// vm is a machine with a management card, and a guest that looks after its interfaces.
type vm struct {
	t       *testing.T
	machine *frame.Machine
	wanted  frame.Wanted[scope.Interface]
	unknown error
	ignore  []string
	heads   network.Heads
}

func newVM(t *testing.T) *vm {
	t.Helper()
	netns.New(t)
	netns.Management(t)
	m, err := frame.Open("/", "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	return &vm{t: t, machine: m, wanted: frame.Wanted[scope.Interface]{Whole: true}}
}

// want says what is wanted from now on: the whole of it.
func (v *vm) want(elements ...scope.Interface) { v.wanted.Elements, v.wanted.Whole = elements, true }

// guest returns the module as after a start.
func (v *vm) guest() *interfaces.Module {
	source := func() (frame.Wanted[scope.Interface], error) { return v.wanted, v.unknown }
	return interfaces.New(v.machine, source, v.ignore, v.heads)
}

// apply makes one pass and returns what came of it.
func (v *vm) apply() frame.Report {
	v.t.Helper()
	r := frame.NewRunner(v.machine, 0, 0)
	r.Add(v.guest(), frame.On)
	reports, err := r.Apply(v.t.Context())
	require.NoError(v.t, err)
	return reports[0]
}

// done makes one pass, which must succeed, and looks that a second one plans nothing.
func (v *vm) done() frame.Report {
	v.t.Helper()
	report := v.apply()
	require.NoError(v.t, report.Err)
	v.settled()
	return report
}

func (v *vm) settled() {
	v.t.Helper()
	plan, err := v.guest().Plan(v.t.Context())
	require.NoError(v.t, err)
	require.Empty(v.t, texts(plan))
}

func texts(p frame.Plan) (all []string) {
	for _, s := range p.Steps {
		all = append(all, s.Text)
	}
	return all
}

// kinds returns the kinds of notes about one interface.
func kinds(notes []frame.Note, about string) (all []frame.NoteKind) {
	for _, n := range notes {
		if n.About == about {
			all = append(all, n.Kind)
		}
	}
	return all
}

func ipv4(mac, state, ip string) scope.Interface {
	return scope.Interface{MAC: mac, State: state, IPVersion: "ipv4", IP: ip}
}

func ipv6(mac, state, ip string) scope.Interface {
	return scope.Interface{MAC: mac, State: state, IPVersion: "ipv6", IP: ip}
}

const (
	mac1 = "fa:16:3e:00:00:01"
	mac2 = "fa:16:3e:00:00:02"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}
