package users

import (
	"context"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// ledger is what the guest has made, by login.
type ledger map[string]entry

// entry is what the guest has made for one login. It is written before it is true.
type entry struct {
	Making  bool      `json:"making,omitempty"`  // the account is being made: one with our comment is perhaps half there
	Made    bool      `json:"made,omitempty"`    // the account is the guest's
	Home    string    `json:"home,omitempty"`    // was missing when the guest began to make it, and may be half there
	Expired bool      `json:"expired,omitempty"` // it was withdrawn
	Keys    []keyFile `json:"keys,omitempty"`    // files that have keys in them
}

// without returns the files with keys but for one.
func (e entry) without(file keyFile) []keyFile {
	return slices.DeleteFunc(slices.Clone(e.Keys), func(k keyFile) bool { return k.path() == file.path() })
}

const ledgerFile = "users.json"

func (u *Users) ledger() (ledger, error) {
	l := ledger{}
	_, err := u.machine.Load(ledgerFile, &l)
	return l, err
}

// note changes an entry.
func (u *Users) note(login string, change func(*entry)) error {
	l, err := u.ledger()
	if err != nil {
		return err
	}
	e := l[login]
	change(&e)
	l[login] = e
	return u.machine.Save(ledgerFile, l)
}

// forget is the step that ends an entry.
func (u *Users) forget(login string) frame.Step {
	return frame.Step{Text: "strike " + login + " from the ledger", Do: func(context.Context) error {
		l, err := u.ledger()
		if err != nil {
			return err
		}
		delete(l, login)
		return u.machine.Save(ledgerFile, l)
	}}
}
