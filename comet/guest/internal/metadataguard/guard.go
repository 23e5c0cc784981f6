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
	// plan returns the steps to the rule, none where it is there.
	plan(ctx context.Context, s state) ([]frame.Step, error)
	// withdraw returns the steps that take the rule away.
	withdraw(ctx context.Context) ([]frame.Step, error)
}

// state is what the guest has set. It is written before it is true.
type state struct {
	Filter  string // the program
	Listing string // how it shows our table
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
		if _, err := frame.Find(program); errors.Is(err, frame.ErrNoProgram) {
			continue
		}
		var before []frame.Step
		if s.Filter != program { // which may have been installed since
			var err error
			if before, err = g.takeBack(ctx, s); err != nil {
				return frame.Plan{}, err
			}
		}
		steps, err := g.filter(program).plan(ctx, s)
		return frame.Plan{Steps: append(before, steps...), Count: 1}, err
	}
	return frame.Plan{Notes: []frame.Note{{Kind: frame.Waiting, About: address4, Why: "neither nft nor iptables is installed"}}}, nil
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
	if plan.Steps, err = g.takeBack(ctx, s); err != nil {
		return plan, err
	}
	forget, err := g.machine.Remove(g.machine.State(stateFile))
	plan.Steps = append(plan.Steps, forget...)
	return plan, err
}

// takeBack returns the steps that take away what the guest has set, none where the program is not there any more.
func (g *Guard) takeBack(ctx context.Context, s state) ([]frame.Step, error) {
	if _, err := frame.Find(s.Filter); errors.Is(err, frame.ErrNoProgram) {
		return nil, nil
	}
	return g.filter(s.Filter).withdraw(ctx)
}
