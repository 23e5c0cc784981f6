package users

import (
	"fmt"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/sshkey"
	"github.com/renci-nrig/comet-go/scope"
)

// user is a user as it is wanted, all of it checked.
type user struct {
	login string
	sudo  bool
	keys  []string // lines of an authorized_keys
	bad   bool     // some key could not be read
}

// check leaves out what is wrong: whole users, or single keys of them. Those who are not among the users are not wanted where whole is true.
func check(wanted frame.Wanted[scope.User]) (users []user, whole bool, notes []frame.Note) {
	whole, notes = wanted.Whole, slices.Clone(wanted.Notes)
	seen := map[string]bool{}
	leave := func(about, why string) {
		notes = append(notes, frame.Note{Kind: frame.LeftOut, About: frame.OneLine(about), Why: why})
	}
	for i, e := range wanted.Elements {
		about := fmt.Sprintf("user %s", e.Login)
		if err := e.Validate(); err != nil {
			leave(fmt.Sprintf("user %q (element %d)", e.Login[:min(len(e.Login), 40)], i), err.Error())
			whole = false
			continue
		}
		if seen[e.ElementKey()] {
			leave(about, "user is there twice; the first one counts")
			continue
		}
		seen[e.ElementKey()] = true
		w := user{login: e.Login, sudo: e.MaySudo()}
		for k, text := range e.PublicKeys() {
			line, err := sshkey.WithOptions(text)
			if err != nil {
				leave(about, fmt.Sprintf("key %d %v", k+1, err))
				w.bad = true
				continue
			}
			w.keys = append(w.keys, line)
		}
		users = append(users, w)
	}
	return users, whole, notes
}

func logins(users []user) (logins []string) {
	for _, w := range users {
		logins = append(logins, w.login)
	}
	return logins
}
