package guest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// Status says how things are on a VM. It holds no secret.
type Status struct {
	At       time.Time       `json:"at,omitzero"`
	Instance string          `json:"instance"`
	Root     string          `json:"root"`
	Contexts []ContextStatus `json:"contexts"`
	Modules  []ModuleStatus  `json:"modules"` // in the order in which they work; none before the first pass
}

// ContextStatus says how the VM stands with a context's heads.
type ContextStatus struct {
	Context  string    `json:"context"`
	Key      string    `json:"key"`
	HostName string    `json:"hostName"`
	Heard    time.Time `json:"heard,omitzero"`  // when a head answered last
	Shown    bool      `json:"shown"`           // a head has shown something of this VM, now or before
	Error    string    `json:"error,omitempty"` // why none answers now, or that what it says shows nothing of this VM
	Failure  Failure   `json:"failure,omitempty"`
}

// Failure is what kind of thing a context's error is.
type Failure string

const (
	NoHead    Failure = "no head"   // none can be reached
	Refused   Failure = "refused"   // a token, or trust between the VM and every head
	Invisible Failure = "invisible" // heads show nothing of this VM
	Other     Failure = "other"     // heads answer, and not as they should
)

// failureOf sorts an error of a context.
func failureOf(err error) Failure {
	for _, f := range []struct {
		of error
		is Failure
	}{{comet.ErrNotFound, Invisible}, {comet.ErrUnauthorized, Refused}, {comet.ErrUnavailable, NoHead}} {
		if errors.Is(err, f.of) {
			return f.is
		}
	}
	return Other
}

// ModuleStatus says what one module did and what it has to say.
type ModuleStatus struct {
	Name  string      `json:"name"`
	Mode  Mode        `json:"mode"`
	State ModuleState `json:"state"`
	Count int         `json:"count"`           // how many hosts, keys, users… are in place
	Told  []string    `json:"told,omitempty"`  // of a module that is not here: what it would act on
	Done  []Change    `json:"done,omitempty"`  // what the last pass changed
	Plan  []Change    `json:"plan,omitempty"`  // what there is to do
	Notes []Note      `json:"notes,omitempty"` // what is left out, doubted, waited for
	Error string      `json:"error,omitempty"` // while it is pending because it is at work again: at what it failed before
	Retry time.Time   `json:"retry,omitzero"`  // when what failed is tried again

	err    error
	before bool // err was told before
}

// Note is something that people should know, and that is not an error of the module.
type Note = frame.Note

// Change is one step of a plan.
type Change struct {
	Text  string `json:"text"`
	State bool   `json:"state,omitempty"` // it notes something for the guest itself, and changes nothing else
	Diff  string `json:"diff,omitempty"`  // a unified diff where a file changes that everybody may see
}

// ModuleState sums up a module.
type ModuleState string

const (
	StateOK      ModuleState = "ok" // notes may say what was left out or left alone all the same
	StateOff     ModuleState = "off"
	StateNotHere ModuleState = "not here" // it acts on the machine itself, and files below a root folder alone are
	StatePending ModuleState = "pending"  // something is waited for, or only observed
	StateUnknown ModuleState = "unknown"  // nobody has told yet what is wanted
	StateDoubted ModuleState = "doubted"  // what heads say is not believed; what was there stays
	StateFailed  ModuleState = "failed"   // now, or, as a script, for good: an error or a note says at what
)

// Err joins what modules fail at now and what they doubt; nil where there is nothing of it. What has failed for good, as a script, is in
// the state and the notes alone: no pass can do anything about it.
func (s Status) Err() error {
	var errs []error
	for _, m := range s.Modules {
		if m.State == StateFailed && m.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.Name, m.err))
		}
		for _, n := range m.Notes {
			if n.Kind == frame.Doubted {
				errs = append(errs, fmt.Errorf("%s: %s: %s", m.Name, n.About, n.Why))
			}
		}
	}
	return errors.Join(errs...)
}

// Changes reports whether there is something to do that is not only observed.
func (s Status) Changes() bool {
	return slices.ContainsFunc(s.Modules, func(m ModuleStatus) bool {
		return m.Mode != Observe && slices.ContainsFunc(m.Plan, func(c Change) bool { return !c.State })
	})
}

// Done returns what the last pass changed, in order.
func (s Status) Done() (done []Change) {
	for _, m := range s.Modules {
		done = append(done, m.Done...)
	}
	return done
}

// noteOf is the kind of the notes that say why a module is in a state.
var noteOf = map[ModuleState]frame.NoteKind{StatePending: frame.Waiting, StateDoubted: frame.Doubted, StateFailed: frame.Failed}

// Because says why a module is in its state, as far as it says so; one line.
func (m ModuleStatus) Because() string {
	if m.Error != "" {
		return m.Error
	}
	for _, n := range m.Notes {
		if n.Kind == noteOf[m.State] {
			return n.About + ": " + n.Why
		}
	}
	return ""
}

// Settled reports whether a module has come to its end, well or not: nothing is left to do, under way, or tried again.
func (m ModuleStatus) Settled() bool {
	switch m.State {
	case StateOK, StateOff, StateNotHere:
		return true
	case StateFailed:
		return m.Error == "" && len(m.Plan) == 0 && !slices.ContainsFunc(m.Notes, func(n Note) bool { return n.Kind == frame.Waiting })
	}
	return false
}

// Module returns what a module has to say; the zero status where there is none of that name.
func (s Status) Module(name string) ModuleStatus {
	for _, m := range s.Modules {
		if m.Name == name {
			return m
		}
	}
	return ModuleStatus{}
}

// report makes a status of what modules said.
func (g *Guest) report(reports []frame.Report) Status {
	st := Status{At: time.Now().Truncate(time.Millisecond), Contexts: []ContextStatus{}, Modules: []ModuleStatus{}, Instance: g.machine.Instance(), Root: g.machine.Root().Name()}
	for _, c := range g.contexts {
		self := c.Self()
		heard, err := c.Failing()
		if err == nil {
			err = c.Invisible()
		}
		cs := ContextStatus{Context: self.SliceID.String(), Key: self.ReservationID.String(), HostName: self.HostName, Heard: heard, Shown: c.Shown()}
		if err != nil {
			cs.Error, cs.Failure = frame.OneLine(strings.TrimPrefix(err.Error(), "comet: ")), failureOf(err)
		}
		st.Contexts = append(st.Contexts, cs)
	}
	for _, r := range reports {
		m := moduleStatus(r)
		m.Notes = slices.Concat(m.Notes, g.unshownNote(r))
		if m.State == StateNotHere {
			m.Told = g.toldOf(m.Name)
		}
		st.Modules = append(st.Modules, m)
	}
	return st
}

func moduleStatus(r frame.Report) ModuleStatus {
	m := ModuleStatus{Name: r.Module, Mode: r.Mode, State: stateOf(r), Count: r.Plan.Count, Notes: r.Plan.Notes, Retry: r.Retry, err: r.Err, before: r.Before}
	if r.Mode == Observe {
		m.Count -= r.Plan.Later
	}
	if r.Err != nil {
		m.Error = frame.OneLine(r.Err.Error())
	}
	for _, text := range r.Done {
		m.Done = append(m.Done, Change{Text: text})
	}
	for _, s := range r.Plan.Steps {
		m.Plan = append(m.Plan, Change{Text: s.Text, State: s.Own, Diff: s.Diff})
	}
	return m
}

func stateOf(r frame.Report) ModuleState {
	has := func(kind frame.NoteKind) bool {
		return slices.ContainsFunc(r.Plan.Notes, func(n Note) bool { return n.Kind == kind })
	}
	switch {
	case r.Mode == Off:
		return StateOff
	case errors.Is(r.Err, frame.ErrUnknown):
		return StateUnknown
	case errors.Is(r.Err, frame.ErrNeedsRoot):
		return StateNotHere
	case r.Err != nil && !r.Before, has(frame.Failed):
		return StateFailed
	case has(frame.Doubted):
		return StateDoubted
	case len(r.Plan.Steps) > 0, has(frame.Waiting):
		return StatePending
	}
	return StateOK
}
