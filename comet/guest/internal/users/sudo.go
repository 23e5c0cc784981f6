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

// sudo plans a user's file. It counts from the moment it is there, so visudo reads what it will be before that.
func (u *Users) sudo(login string) (plan frame.Plan, err error) {
	if _, err := frame.Find("visudo"); err != nil {
		plan.Notes = []frame.Note{{Kind: frame.Waiting, About: "user " + login, Why: "sudo: " + err.Error()}}
		return plan, nil
	}
	if !u.included() {
		plan.Notes = []frame.Note{{Kind: frame.Warning, About: "user " + login, Why: "sudo: /etc/sudoers does not include /" + sudoersFolder}}
	}
	f := sudoFile(login)
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

var includes = regexp.MustCompile(`(?m)^\s*[@#]includedir\s+"?/` + sudoersFolder + `"?\s*$`)

func (u *Users) included() bool {
	text, err := u.machine.Read("etc/sudoers", false)
	return err != nil || includes.Match(text)
}

// withdrawSudo plans the end of our files for those who may not have one. The files themselves are the ledger: they are ours by name and
// by their first line.
func (u *Users) withdrawSudo(users []user) (plan frame.Plan, err error) {
	keep := map[string]bool{}
	for _, w := range users {
		keep[sudoFile(w.login).Name] = w.sudo
	}
	files, err := fs.ReadDir(u.machine.Root().FS(), sudoersFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return plan, err
	}
	for _, file := range files {
		name := sudoersFolder + "/" + file.Name()
		if keep[name] || !strings.HasPrefix(file.Name(), dropIn) {
			continue
		}
		content, readErr := u.machine.Read(name, true)
		if readErr != nil || !bytes.HasPrefix(content, []byte(header)) {
			err = errors.Join(err, readErr)
			continue
		}
		steps, removeErr := u.machine.Remove(name)
		for i := range steps {
			steps[i].Of = name
		}
		plan.Steps, err = append(plan.Steps, steps...), errors.Join(err, removeErr)
	}
	return plan, err
}
