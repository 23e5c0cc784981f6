package users

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// comment stands in an account that the guest made. By it one is known whose making was interrupted.
const comment = "user of COMET"

// make plans an account. One that is half there, since its making was interrupted, goes first; nobody has been let in yet.
func (u *Users) make(ctx context.Context, login string, half *account) (frame.Plan, error) {
	if _, err := frame.Find("useradd"); err != nil {
		return frame.Plan{Notes: []frame.Note{{Kind: frame.Waiting, About: "user " + login, Why: err.Error()}}}, nil
	}
	args := []string{"--create-home", "--comment", comment, "--password", "*"} // which no password fits; "!" would be a lock to sshd
	group, err := u.getent(ctx, "group", login)
	if err != nil {
		return frame.Plan{}, err
	}
	if len(group) > 0 && half == nil {
		args = append(args, "--no-user-group")
	}
	add := frame.Command{Program: "useradd", Args: append(args, "--", login)}
	step := frame.Step{Text: "make the account " + login, Do: func(ctx context.Context) error {
		if err := u.note(login, func(e *entry) { *e = entry{Making: true, Keys: e.Keys} }); err != nil {
			return err
		}
		if half != nil {
			if _, err := u.machine.Run(ctx, frame.Command{Program: "userdel", Args: []string{"--", login}}); err != nil {
				return err
			}
		}
		if _, err := u.machine.Run(ctx, add); err != nil {
			return err
		}
		return u.note(login, func(e *entry) { e.Making, e.Made = false, true })
	}}
	return frame.Plan{Steps: []frame.Step{step}, More: true}, nil // its home is known once it is there
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

var errNoHome = errors.New("has no home that is a folder of its own")

// home plans the home of an account that the guest made, where it is missing or belongs to root, as it does when a crash came between.
func (u *Users) home(a account, e entry) ([]frame.Step, error) {
	info, err := os.Stat(a.home)
	switch {
	case !e.Made || !filepath.IsAbs(a.home):
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case a.uid == 0 || owner(info) != 0:
		return nil, nil
	}
	return []frame.Step{{Text: "make the home " + a.home, Do: func(ctx context.Context) error {
		if err := os.Mkdir(a.home, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		u.machine.Label(ctx, a.home)
		return os.Lchown(a.home, a.uid, a.gid)
	}}}, nil
}

// realHome returns the home without links, which above it only root can have put there.
func realHome(a account) (string, error) {
	if !filepath.IsAbs(a.home) {
		return "", errNoHome
	}
	home, err := filepath.EvalSymlinks(a.home)
	if err != nil {
		return "", fmt.Errorf("home: %w", err)
	}
	info, err := os.Lstat(home)
	if err != nil {
		return "", fmt.Errorf("home: %w", err)
	}
	if uid := owner(info); !info.IsDir() || home == "/" || uid != 0 && uid != a.uid {
		return "", fmt.Errorf("%w: %s", errNoHome, home)
	}
	return home, nil
}

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
