package metadataguard

import (
	"context"
	"errors"
	"os/exec"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// iptables keeps one rule in the chain OUTPUT of each family whose program is there.
type iptables struct{ machine *frame.Machine }

var families = []struct{ program, address string }{{"iptables", address4 + "/32"}, {"ip6tables", address6 + "/128"}}

// rule is a command about the rule: -C asks for it, -I sets it, -D takes it away.
func rule(program, verb, address string) frame.Command {
	return frame.Command{Program: program, Args: []string{"-w", verb, "OUTPUT", "-d", address, "-p", "tcp", "-m", "tcp", "--dport", "80",
		"-m", "owner", "!", "--uid-owner", "0", "-j", "REJECT", "--reject-with", "tcp-reset"}}
}

func (i iptables) plan(ctx context.Context, s state) (steps []frame.Step, err error) {
	for _, f := range families {
		there, err := i.there(ctx, f.program, f.address)
		if err != nil {
			return steps, err
		}
		if there {
			continue
		}
		step := i.machine.Exec(rule(f.program, "-I", f.address))
		set := step.Do
		step.Do = func(ctx context.Context) error {
			if err := i.machine.Save(stateFile, state{Filter: "iptables"}); err != nil {
				return err
			}
			return set(ctx)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// there reports whether the rule is set, or cannot be, for want of a program.
func (i iptables) there(ctx context.Context, program, address string) (bool, error) {
	if _, err := frame.Find(program); errors.Is(err, frame.ErrNoProgram) {
		return true, nil
	}
	_, err := i.machine.Run(ctx, rule(program, "-C", address))
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil
	}
	return err == nil, err
}

func (i iptables) withdraw(ctx context.Context) (steps []frame.Step, err error) {
	for _, f := range families {
		there, err := i.there(ctx, f.program, f.address)
		if err != nil {
			return steps, err
		}
		if _, err := frame.Find(f.program); there && err == nil {
			steps = append(steps, i.machine.Exec(rule(f.program, "-D", f.address)))
		}
	}
	return steps, nil
}
