package users

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

var errNoHome = errors.New("has no home that is a folder of its own")

// missingHome returns the home that useradd would give a user, empty where something has that name already.
func (u *Users) missingHome(ctx context.Context, login string) (string, error) {
	out, err := u.machine.Run(ctx, frame.Command{Program: "useradd", Args: []string{"--defaults"}})
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if base, found := strings.CutPrefix(strings.TrimSpace(line), "HOME="); found {
			home := filepath.Join(base, login)
			if _, err := os.Lstat(home); errors.Is(err, fs.ErrNotExist) {
				return home, nil
			}
		}
	}
	return "", nil
}

// home plans the home of an account that the guest made, where it is missing, or was and a crash came before it was the user's. One that
// was there before, or that somebody has given to root since, stays as it is.
func (u *Users) home(a account, e entry) ([]frame.Step, error) {
	if !e.Made || !filepath.IsAbs(a.home) {
		return nil, nil
	}
	home := filepath.Clean(a.home)
	_, err := os.Lstat(home)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && e.Home != home {
		return nil, nil
	}
	return []frame.Step{{Text: "make the home " + home, Do: func(ctx context.Context) error {
		if err := u.note(a.login, func(e *entry) { e.Home = home }); err != nil {
			return err
		}
		if err := os.Mkdir(home, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if isRoots(home) {
			u.machine.Label(ctx, home)
			if err := os.Lchown(home, a.uid, a.gid); err != nil {
				return err
			}
		}
		return u.note(a.login, func(e *entry) { e.Home = "" })
	}}}, nil
}

// isRoots reports whether a path is a folder of root's, and no link to one.
func isRoots(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir() && owner(info) == 0
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
	uid := owner(info)
	switch {
	case !info.IsDir(), home == "/", uid != 0 && uid != a.uid:
		return "", fmt.Errorf("%w: %s", errNoHome, home)
	case uid != a.uid && info.Mode()&0o011 == 0: // sshd reads keys as the user
		return "", fmt.Errorf("%w: %s is root's alone, and stays so", errNoHome, home)
	}
	return home, nil
}

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
