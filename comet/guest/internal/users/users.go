package users

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/scope"
)

// Users is the module "users".
type Users struct {
	machine *frame.Machine
	wanted  frame.Source[scope.User]
	sshd    sshd
}

// New returns the module that keeps these users.
func New(m *frame.Machine, wanted frame.Source[scope.User]) *Users {
	return &Users{machine: m, wanted: wanted, sshd: sshd{machine: m}}
}

// Name returns "users".
func (*Users) Name() string { return "users" }

// Plan looks and returns what has to be done. One user's trouble keeps no other user waiting.
func (u *Users) Plan(ctx context.Context) (frame.Plan, error) {
	if err := u.machine.Needs(); err != nil {
		return frame.Plan{}, err
	}
	wanted, err := u.wanted()
	if err != nil {
		return frame.Plan{}, err
	}
	users, whole, notes := check(wanted)
	l, err := u.ledger()
	if err != nil {
		return frame.Plan{Notes: notes}, err
	}
	accounts, err := u.accounts(ctx, append(slices.Collect(maps.Keys(l)), logins(users)...))
	if err != nil {
		return frame.Plan{Notes: notes}, fmt.Errorf("look up accounts: %w", err)
	}
	plan := frame.Plan{Notes: notes}
	var failed []error
	u.sshd.missing = ""
	for _, w := range users {
		part, err := u.keep(ctx, w, accounts[w.login], l[w.login])
		failed = append(failed, named(w.login, err))
		plan.Merge(of(w.login, part))
	}
	plan.Merge(u.sshd.folder())
	gone, err := u.withdrawals(users, accounts, l)
	switch {
	case whole:
		failed = append(failed, err)
		plan.Merge(gone)
	case len(gone.Steps) > 0:
		plan.Notes = append(plan.Notes, frame.Held(u.Name(), plan.Notes))
	}
	return plan, errors.Join(failed...)
}

// withdrawals plans what is taken back of those who are not among the users.
func (u *Users) withdrawals(users []user, accounts map[string]*account, l ledger) (plan frame.Plan, err error) {
	wanted := logins(users)
	for _, login := range slices.Sorted(maps.Keys(l)) {
		if !slices.Contains(wanted, login) {
			part, failed := u.withdraw(login, accounts[login], l[login])
			err = errors.Join(err, named(login, failed))
			plan.Merge(of(login, part))
		}
	}
	steps, failed := u.takeOthersSudo(users)
	plan.Steps = append(plan.Steps, steps...)
	return plan, errors.Join(err, failed)
}

func named(login string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("user %s: %w", login, err)
}

// of makes one user's steps independent of the others', where they do not stand alone.
func of(login string, p frame.Plan) frame.Plan {
	for i := range p.Steps {
		p.Steps[i].Of = cmp.Or(p.Steps[i].Of, login)
	}
	return p
}

// keep plans what makes an account as it is wanted. It counts where it is there and nothing is waited for.
func (u *Users) keep(ctx context.Context, w user, a *account, e entry) (plan frame.Plan, err error) {
	half := a != nil && e.Making && a.comment == comment
	if half {
		a = nil
	}
	if a == nil {
		plan, err = u.make(ctx, w.login, half)
	} else {
		plan, err = u.letIn(ctx, w, *a, e)
	}
	sudo, sudoErr := u.sudo(w, a)
	plan.Merge(sudo)
	err = errors.Join(err, sudoErr)
	if a != nil && err == nil && !slices.ContainsFunc(plan.Notes, func(n frame.Note) bool { return n.Kind == frame.Waiting }) {
		plan.Count = 1
	}
	return plan, err
}

// letIn plans an account that is open, its home and its keys.
func (u *Users) letIn(ctx context.Context, w user, a account, e entry) (plan frame.Plan, err error) {
	plan.Steps = u.reopen(a, e)
	home, err := u.home(a, e)
	if err != nil || len(home) > 0 {
		plan.Steps, plan.More = append(plan.Steps, home...), true
		return plan, err
	}
	keys, err := u.keys(ctx, w, a, e)
	plan.Merge(keys)
	return plan, err
}

// withdraw plans what takes back all that the guest has made for an account. Its sudo goes by takeOthersSudo.
func (u *Users) withdraw(login string, a *account, e entry) (plan frame.Plan, err error) {
	if a == nil {
		plan.Steps = []frame.Step{u.forget(login)}
		return plan, nil
	}
	plan.Steps, err = u.takeKeys(login, e.Keys)
	ours := e.Made || e.Making && a.comment == comment
	if a.granted {
		plan.Notes = []frame.Note{stillGranted(login)}
	}
	switch {
	case ours && !e.Expired: // whatever stands in the way of taking the keys
		plan.Steps = append(plan.Steps, u.expire(login))
	case !ours && err == nil && !a.granted: // else it would not be said any more
		plan.Steps = append(plan.Steps, u.forget(login))
	}
	return plan, err
}
