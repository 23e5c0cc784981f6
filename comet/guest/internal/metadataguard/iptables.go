package metadataguard

import (
	"context"
	"errors"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// iptables keeps two rules for each family whose program is there.
type iptables struct{ machine *frame.Machine }

var families = []struct{ program, address string }{{"iptables", address4 + "/32"}, {"ip6tables", address6 + "/128"}}

// rule is one rule, as commands name it.
type rule struct {
	program, table, chain string
	what                  []string
}

// rules returns all that are to be there. What is passed on is dropped where nobody who accepts it comes before, as container engines do
// in the table filter.
func rules() (all []rule) {
	for _, f := range families {
		ask := []string{"-d", f.address, "-p", "tcp", "-m", "tcp", "--dport", "80"}
		all = append(all,
			rule{f.program, "filter", "OUTPUT", slices.Concat(ask, []string{"-m", "owner", "!", "--uid-owner", "0", "-j", "REJECT", "--reject-with", "tcp-reset"})},
			rule{f.program, "mangle", "FORWARD", slices.Concat(ask, []string{"-j", "DROP"})})
	}
	return all
}

// command is one about the rule: -C asks for it, -I sets it, -D takes it away.
func (r rule) command(verb string) frame.Command {
	return frame.Command{Program: r.program, Args: append([]string{"-w", "-t", r.table, verb, r.chain}, r.what...)}
}

func (i iptables) plan(ctx context.Context, s state) (steps []frame.Step, err error) {
	for _, r := range rules() {
		there, err := i.there(ctx, r)
		if err != nil {
			return steps, err
		}
		if there {
			continue
		}
		step := i.machine.Exec(r.command("-I"))
		set := step.Do
		step.Do = func(ctx context.Context) error {
			if err := i.machine.Save(stateFile, s); err != nil {
				return err
			}
			return set(ctx)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// there reports whether a rule is set, or cannot be, for want of a program.
func (i iptables) there(ctx context.Context, r rule) (bool, error) {
	if _, err := frame.Find(r.program); errors.Is(err, frame.ErrNoProgram) {
		return true, nil
	}
	_, err := i.machine.Run(ctx, r.command("-C"))
	if frame.ExitCode(err) == 1 {
		return false, nil
	}
	return err == nil, err
}

func (i iptables) withdraw(ctx context.Context) (steps []frame.Step, err error) {
	for _, r := range rules() {
		there, err := i.there(ctx, r)
		if err != nil {
			return steps, err
		}
		if _, err := frame.Find(r.program); there && err == nil {
			steps = append(steps, i.machine.Exec(r.command("-D")))
		}
	}
	return steps, nil
}
