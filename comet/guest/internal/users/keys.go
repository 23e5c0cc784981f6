package users

import (
	"context"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// keyFile is a file in which sshd looks for a user's keys. Comparable.
type keyFile struct {
	Home string `json:"home,omitempty"` // the folder it lies in; empty where it is outside the home, and root's
	Name string `json:"name"`           // below Home, or the root
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
}

func (k keyFile) path() string { return "/" + strings.TrimPrefix(k.Home+"/"+k.Name, "/") }

func (k keyFile) block() frame.Block {
	b := frame.Block{File: k.Name, Name: "comet user keys", Mode: 0o644, NoLinks: true} // sshd reads it as the user
	if k.Home != "" {
		b.Below, b.Mode, b.Owner = strings.TrimPrefix(k.Home, "/"), 0o600, &atomicfile.Owner{UID: k.UID, GID: k.GID}
	}
	return b
}

// keys plans the block of a user's keys, and its leaving files where sshd does not look any more. A block that is right already, by older
// tools or by a guest that lost its state, is the guest's from now on.
func (u *Users) keys(ctx context.Context, w user, a account, e entry) (plan frame.Plan, err error) {
	file, why, err := u.keyFile(ctx, a)
	if err != nil {
		return plan, err
	}
	if why != "" {
		plan.Notes = append(plan.Notes, frame.Note{Kind: frame.Waiting, About: "user " + w.login, Why: why})
		return plan, nil
	}
	lines := w.keys
	if w.bad && len(lines) == 0 { // in doubt nothing goes
		if lines, err = u.machine.BlockLines(file.block()); err != nil {
			return plan, err
		}
	}
	steps, err := u.machine.SetBlock(file.block(), lines)
	if err != nil {
		return plan, err
	}
	if len(lines) > 0 && !slices.Contains(e.Keys, file) {
		plan.Steps = append(plan.Steps, u.noteKeys(w.login, file))
	}
	plan.Steps = append(plan.Steps, steps...)
	elsewhere := e.without(file)
	taken, err := u.takeKeys(w.login, elsewhere)
	plan.Steps = append(plan.Steps, taken...)
	return plan, err
}

// noteKeys is the step by which the ledger knows of a file with keys.
func (u *Users) noteKeys(login string, file keyFile) frame.Step {
	return frame.Step{Text: "note that the keys of " + login + " are in " + file.path(), Do: func(context.Context) error {
		return u.note(login, func(e *entry) { e.Keys = append(e.without(file), file) })
	}}
}

// takeKeys plans the end of the blocks in these files.
func (u *Users) takeKeys(login string, files []keyFile) (steps []frame.Step, err error) {
	for _, file := range files {
		inner, err := u.machine.SetBlock(file.block(), nil)
		if err != nil {
			return steps, err
		}
		step := frame.Step{Text: "take the keys of " + login + " out of " + file.path()}
		if len(inner) > 0 {
			step.Diff = inner[0].Diff
		}
		step.Do = func(ctx context.Context) error {
			for _, s := range inner {
				if err := s.Do(ctx); err != nil {
					return err
				}
			}
			return u.note(login, func(e *entry) { e.Keys = e.without(file) })
		}
		steps = append(steps, step)
	}
	return steps, nil
}
