package users

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// account is what the system says of a login.
type account struct {
	login    string
	uid, gid int
	comment  string
	home     string
	granted  bool // /etc/sudoers itself lets it do everything
}

// accounts looks logins up wherever the system has them, which need not be /etc/passwd.
func (u *Users) accounts(ctx context.Context, logins []string) (map[string]*account, error) {
	found := map[string]*account{}
	if len(logins) == 0 {
		return found, nil
	}
	slices.Sort(logins)
	out, err := u.getent(ctx, "passwd", slices.Compact(logins)...)
	granted := u.granted()
	for line := range strings.Lines(string(out)) {
		if a, ok := parseAccount(strings.TrimSpace(line)); ok {
			a.granted = a.uid != 0 && granted[a.login]
			found[a.login] = &a
		}
	}
	return found, err
}

// getent asks for entries of a database of the system. Those that are not there are no error.
func (u *Users) getent(ctx context.Context, database string, names ...string) ([]byte, error) {
	out, err := u.machine.Run(ctx, frame.Command{Program: "getent", Args: append([]string{database}, names...)})
	if frame.ExitCode(err) == notFound {
		err = nil
	}
	return out, err
}

const notFound = 2 // getent's way to say that some names are not there

// parseAccount reads a line of passwd(5).
func parseAccount(line string) (a account, ok bool) {
	fields := strings.Split(line, ":")
	if len(fields) != 7 {
		return a, false
	}
	uid, err1 := strconv.Atoi(fields[2])
	gid, err2 := strconv.Atoi(fields[3])
	a = account{login: fields[0], uid: uid, gid: gid, comment: fields[4], home: fields[5]}
	return a, err1 == nil && err2 == nil
}
