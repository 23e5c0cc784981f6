package users

import (
	"context"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// comment stands in an account that the guest made. By it one is known whose making was interrupted.
const comment = "user of COMET"

// make plans an account. One that is half there, since its making was interrupted, goes first; nobody has been let in yet.
func (u *Users) make(ctx context.Context, login string, half bool) (frame.Plan, error) {
	if _, err := frame.Find("useradd"); err != nil {
		return frame.Plan{Notes: []frame.Note{{Kind: frame.Waiting, About: "user " + login, Why: err.Error()}}}, nil
	}
	args := []string{"--create-home", "--comment", comment, "--password", "*"} // which no password fits; "!" would be a lock to sshd
	group, err := u.getent(ctx, "group", login)
	if err != nil {
		return frame.Plan{}, err
	}
	if len(group) > 0 && !half {
		args = append(args, "--no-user-group")
	}
	step := frame.Step{Text: "make the account " + login, Do: func(ctx context.Context) error {
		return u.add(ctx, frame.Command{Program: "useradd", Args: append(args, "--", login)}, login, half)
	}}
	return frame.Plan{Steps: []frame.Step{step}, More: true}, nil // its home is known once it is there
}

// add makes an account, with a home where there is none.
func (u *Users) add(ctx context.Context, useradd frame.Command, login string, half bool) error {
	home, err := u.missingHome(ctx, login)
	if err != nil {
		return err
	}
	err = u.note(login, func(e *entry) {
		if e.Making && home == "" {
			home = e.Home // it was missing the first time
		}
		*e = entry{Making: true, Home: home, Keys: e.Keys}
	})
	if err != nil {
		return err
	}
	if half {
		if _, err := u.machine.Run(ctx, frame.Command{Program: "userdel", Args: []string{"--", login}}); err != nil {
			return err
		}
	}
	if _, err := u.machine.Run(ctx, useradd); err != nil {
		return err
	}
	return u.note(login, func(e *entry) {
		e.Making, e.Made = false, true
		if !isRoots(home) {
			e.Home = ""
		}
	})
}

// expire is the step that shuts an account.
func (u *Users) expire(login string) frame.Step {
	step := u.setExpiry("shut the account "+login+", whose home stays", login, "1", func(e *entry) {
		e.Making, e.Made, e.Expired = false, true, true
	})
	step.Of = step.Text
	return step
}

// reopen plans the opening of an account that was withdrawn.
func (u *Users) reopen(a account, e entry) []frame.Step {
	if !e.Expired {
		return nil
	}
	return []frame.Step{u.setExpiry("open the account "+a.login+" again", a.login, "", func(e *entry) { e.Expired = false })}
}

// setExpiry sets the day, counted from 1970, on which an account expires.
func (u *Users) setExpiry(text, login, day string, change func(*entry)) frame.Step {
	return frame.Step{Text: text, Do: func(ctx context.Context) error {
		_, err := u.machine.Run(ctx, frame.Command{Program: "usermod", Args: []string{"--expiredate", day, "--", login}})
		if err != nil {
			return err
		}
		return u.note(login, change)
	}}
}
