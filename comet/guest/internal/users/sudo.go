package users

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"regexp"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

const (
	sudoersFolder = "etc/sudoers.d"
	dropIn        = "comet-" // how the names of our files in it begin
	header        = "# Kept by comet-guest: what is changed here is lost.\n"
)

// sudoFile is the file that lets a user do everything. sudo passes over names with a dot, which a login may have.
func sudoFile(login string) frame.File {
	return frame.File{
		Name:    sudoersFolder + "/" + dropIn + strings.ReplaceAll(login, ".", "+"),
		Content: []byte(header + `"` + login + `" ALL=(ALL:ALL) NOPASSWD:ALL` + "\n"), // without quotes a name in capitals is an alias, or ALL
		Mode:    0o440,
		NoLinks: true,
	}
}

// sudo plans a user's file, or, as long as there is no account and where there is to be no sudo, its end. It counts from the moment it is
// there, so visudo reads what it will be before that.
func (u *Users) sudo(w user, a *account) (plan frame.Plan, err error) {
	f := sudoFile(w.login)
	if !w.sudo || a == nil || a.uid == 0 {
		if a != nil && a.granted {
			plan.Notes = []frame.Note{stillGranted(w.login)}
		}
		plan.Steps, err = u.takeSudo(f.Name)
		return plan, err
	}
	if _, err := frame.Find("visudo"); err != nil {
		plan.Notes = []frame.Note{{Kind: frame.Waiting, About: "user " + w.login, Why: "sudo: " + err.Error()}}
		return plan, nil
	}
	if !u.included() {
		plan.Notes = []frame.Note{{Kind: frame.Warning, About: "user " + w.login, Why: "sudo: /etc/sudoers does not include /" + sudoersFolder}}
	}
	spoilt, err := u.spoilt(f)
	if err != nil {
		return plan, err
	}
	if spoilt {
		plan.Steps, err = u.machine.Remove(f.Name)
		plan.More = true // then it is written
		return plan, err
	}
	plan.Steps, err = u.machine.Put(f)
	for i, s := range plan.Steps {
		plan.Steps[i].Do = func(ctx context.Context) error {
			if _, err := u.machine.Run(ctx, frame.Command{Program: "visudo", Args: []string{"-c", "-f", "-"}, Stdin: f.Content}); err != nil {
				return err
			}
			return s.Do(ctx)
		}
	}
	return plan, err
}

// spoilt reports whether what is there has another mode or owner than the file is to have. Sudo may not take it then, and whoever has it
// open may still write to it, so that there has to be a new one.
func (u *Users) spoilt(f frame.File) (bool, error) {
	info, err := u.machine.Root().Lstat(f.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && (info.Mode() != f.Mode || owner(info) != 0), err
}

var includes = regexp.MustCompile(`(?m)^\s*[@#]includedir\s+"?/` + sudoersFolder + `"?\s*$`)

func (u *Users) included() bool {
	text, err := u.machine.Read("etc/sudoers", false)
	return err != nil || includes.Match(text)
}

// everything is a line of sudoers(5) as older tools write it for a user.
var everything = regexp.MustCompile(`(?m)^[ \t]*"?([^\s",=:%+#]+)"?[ \t]+ALL[ \t]*=[ \t]*(?:\([^)\n]*\)[ \t]*)?NOPASSWD[ \t]*:[ \t]*ALL[ \t]*(?:#.*)?$`)

// granted returns the logins that /etc/sudoers itself, which is not the guest's to change, lets do everything.
func (u *Users) granted() map[string]bool {
	text, _ := u.machine.Read("etc/sudoers", false) // one that cannot be read lets nobody do anything
	logins := map[string]bool{}
	for _, found := range everything.FindAllSubmatch(text, -1) {
		logins[string(found[1])] = true
	}
	return logins
}

func stillGranted(login string) frame.Note {
	return frame.Note{Kind: frame.Warning, About: "user " + login,
		Why: "sudo: a line of /etc/sudoers, as older tools write it, still gives it: take it out with visudo"}
}

// takeSudo plans the end of a file that lets somebody do everything. The file itself is the ledger: it is ours by name and by its first
// line.
func (u *Users) takeSudo(name string) ([]frame.Step, error) {
	content, err := u.machine.Read(name, true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || !bytes.HasPrefix(content, []byte(header)) {
		return nil, err
	}
	steps, err := u.machine.Remove(name)
	for i := range steps {
		steps[i].Of = name
	}
	return steps, err
}

// takeOthersSudo plans the end of the files of those who are not among the users.
func (u *Users) takeOthersSudo(users []user) (steps []frame.Step, err error) {
	theirs := map[string]bool{}
	for _, w := range users {
		theirs[sudoFile(w.login).Name] = true
	}
	files, err := fs.ReadDir(u.machine.Root().FS(), sudoersFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	err = nil
	for _, file := range files {
		if name := sudoersFolder + "/" + file.Name(); !theirs[name] && strings.HasPrefix(file.Name(), dropIn) {
			more, failed := u.takeSudo(name)
			steps, err = append(steps, more...), errors.Join(err, failed)
		}
	}
	return steps, err
}
