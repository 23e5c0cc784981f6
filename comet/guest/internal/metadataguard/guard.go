package metadataguard

import (
	"context"
	"errors"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// addresses of metadata services: of all clouds, and of OpenStack by IPv6.
const (
	address4 = "169.254.169.254"
	address6 = "fe80::a9fe:a9fe"
)

// Guard is the module "metadata-guard".
type Guard struct {
	machine *frame.Machine
}

var _ frame.Withdrawer = (*Guard)(nil)

// New returns the module.
func New(m *frame.Machine) *Guard { return &Guard{machine: m} }

// Name returns "metadata-guard".
func (*Guard) Name() string { return "metadata-guard" }

// filter is a program that keeps packet filters.
type filter interface {
	// plan returns the steps to the rule, none where it is there. They write s before it is true.
	plan(ctx context.Context, s state) ([]frame.Step, error)
	// withdraw returns the steps that take the rule away.
	withdraw(ctx context.Context) ([]frame.Step, error)
}

// state is what the guest has set.
type state struct {
	Filter  string // the program
	Earlier string // the one before it, whose rule stays until that of Filter is set; empty when it has gone
	Listing string // how Filter shows our table
}

const stateFile = "metadata-guard.json"

// filters are the programs in the order in which they are preferred.
var filters = []string{"nft", "iptables"}

func (g *Guard) filter(program string) filter {
	if program == "nft" {
		return nft{g.machine}
	}
	return iptables{g.machine}
}

// Plan looks for the rule.
func (g *Guard) Plan(ctx context.Context) (frame.Plan, error) {
	if err := g.machine.Needs(); err != nil {
		return frame.Plan{}, err
	}
	var s state
	if _, err := g.machine.Load(stateFile, &s); err != nil {
		return frame.Plan{}, err
	}
	for _, program := range filters {
		if installed(program) {
			steps, err := g.set(ctx, s.by(program))
			return frame.Plan{Steps: steps, Count: 1, More: len(steps) > 0}, err
		}
	}
	return frame.Plan{Notes: []frame.Note{{Kind: frame.Waiting, About: address4, Why: "neither nft nor iptables is installed"}}}, nil
}

// by returns s with a program, which may have been installed since, or taken away.
func (s state) by(program string) state {
	if s.Filter != program {
		s = state{Filter: program, Earlier: s.Filter}
	}
	if !installed(s.Earlier) {
		s.Earlier = ""
	}
	return s
}

func installed(program string) bool {
	_, err := frame.Find(program)
	return program != "" && !errors.Is(err, frame.ErrNoProgram)
}

// set plans the rule. That of an earlier program is kept until the new one is there, which the kernel may refuse.
func (g *Guard) set(ctx context.Context, s state) ([]frame.Step, error) {
	steps, err := g.filter(s.Filter).plan(ctx, s)
	if s.Earlier == "" {
		return steps, err
	}
	earlier := g.filter(s.Earlier)
	if err != nil || len(steps) > 0 {
		kept, failed := earlier.plan(ctx, s)
		return append(of(s.Earlier, kept), of(s.Filter, steps)...), errors.Join(err, failed)
	}
	if steps, err = earlier.withdraw(ctx); err != nil {
		return steps, err
	}
	s.Earlier = ""
	forget := func(context.Context) error { return g.machine.Save(stateFile, s) }
	return append(steps, frame.Step{Text: "note that only " + s.Filter + " has the rule", Own: true, Do: forget}), nil
}

// of makes steps those of a program, whose failure does not stop those of another.
func of(program string, steps []frame.Step) []frame.Step {
	for i := range steps {
		steps[i].Of = program
	}
	return steps
}

// Withdraw plans the end of the rule where the guest has set one.
func (g *Guard) Withdraw(ctx context.Context) (plan frame.Plan, err error) {
	if g.machine.Needs() != nil {
		return plan, nil
	}
	var s state
	found, err := g.machine.Load(stateFile, &s)
	if err != nil || !found {
		return plan, err
	}
	for _, program := range []string{s.Filter, s.Earlier} {
		if !installed(program) {
			continue
		}
		steps, err := g.filter(program).withdraw(ctx)
		if err != nil {
			return plan, err
		}
		plan.Steps = append(plan.Steps, steps...)
	}
	forget, err := g.machine.Remove(g.machine.State(stateFile))
	plan.Steps = append(plan.Steps, forget...)
	return plan, err
}
