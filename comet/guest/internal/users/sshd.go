package users

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// sshd knows where the SSH server looks for a user's keys.
type sshd struct {
	machine *frame.Machine
	stamp   string              // of the settings for which the answers hold
	answers map[string][]string // by login
	missing string              // a folder without which it has given no answer; empty where that was not why
}

var usual = []string{".ssh/authorized_keys"}

// patterns returns the values of AuthorizedKeysFile for a login. The server itself is asked, since its settings may depend on the user;
// but not where they do not mention the matter.
func (s *sshd) patterns(ctx context.Context, login string) ([]string, error) {
	stamp, mentioned, err := s.settings()
	if err != nil || !mentioned {
		return usual, err
	}
	if _, err := frame.Find("sshd"); errors.Is(err, frame.ErrNoProgram) {
		return usual, nil
	}
	if stamp != s.stamp {
		s.stamp, s.answers = stamp, map[string][]string{}
	}
	if _, known := s.answers[login]; !known {
		out, err := s.ask(ctx, login)
		if err != nil {
			return nil, err
		}
		s.answers[login] = keyword(string(out), "authorizedkeysfile")
	}
	return s.answers[login], nil
}

// ask has the server tell its settings for a login. -G, from OpenSSH 9.3 on, takes no more than the settings; -T also wants what a start
// brings, of which the folder can be made for it.
func (s *sshd) ask(ctx context.Context, login string) (out []byte, err error) {
	for _, flag := range []string{"-G", "-T"} {
		out, err = s.machine.Run(ctx, frame.Command{Program: "sshd",
			Args: []string{flag, "-C", "user=" + login + ",host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22"}})
		if err == nil || !strings.Contains(err.Error(), "unknown option") {
			break
		}
	}
	if err != nil {
		if found := separation.FindStringSubmatch(err.Error()); found != nil {
			s.missing = found[1]
		}
	}
	return out, err
}

// separation is how sshd complains of a folder in memory, which systemd makes before it starts.
var separation = regexp.MustCompile(`Missing privilege separation directory: (/run/[\w-]+)$`)

// folder plans that one.
func (s *sshd) folder() (plan frame.Plan) {
	if s.missing != "" {
		name := s.missing
		plan.Steps = []frame.Step{{Text: "make " + name + ", without which sshd does not say where it looks for keys", Of: "sshd",
			Do: func(context.Context) error { return s.machine.MakeFolder(strings.TrimPrefix(name, "/"), 0o755) }}}
		plan.More = true
	}
	return plan
}

// settings returns a stamp that changes with the server's settings, and whether they say something about AuthorizedKeysFile, or include
// files of which that is not known.
func (s *sshd) settings() (stamp string, mentioned bool, err error) {
	const folder = "etc/ssh/sshd_config.d"
	files := []string{"etc/ssh/sshd_config"}
	parts, err := fs.ReadDir(s.machine.Root().FS(), folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false, fmt.Errorf("settings of sshd: %w", err)
	}
	for _, part := range parts {
		files = append(files, filepath.Join(folder, part.Name()))
	}
	for _, file := range files {
		text, err := s.machine.Read(file, false)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", false, fmt.Errorf("settings of sshd: %w", err)
		}
		stamp += file + "\x00" + string(text) + "\x00"
		mentioned = mentioned || mentions(string(text), folder)
	}
	return stamp, mentioned, nil
}

func mentions(text, folder string) bool {
	if len(keyword(text, "authorizedkeysfile")) > 0 {
		return true
	}
	for _, included := range keyword(text, "include") {
		if strings.Trim(included, `"`) != "/"+folder+"/*.conf" {
			return true
		}
	}
	return false
}

// keyword returns the values of all lines of settings that begin with a word.
func keyword(text, word string) (values []string) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(strings.Replace(line, "=", " ", 1))
		if len(fields) > 0 && strings.EqualFold(fields[0], word) {
			values = append(values, fields[1:]...)
		}
	}
	return values
}

// keyFile returns the first file that sshd asks about the user alone. Where there is none, why says so.
func (u *Users) keyFile(ctx context.Context, a account) (file keyFile, why string, err error) {
	patterns, err := u.sshd.patterns(ctx, a.login)
	if err != nil {
		return file, "cannot tell where sshd looks for keys: " + frame.OneLine(err.Error()), nil
	}
	home, err := realHome(a)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoHome) {
		return file, err.Error(), nil
	}
	if err != nil {
		return file, "", err
	}
	for _, pattern := range patterns {
		path, own := expand(pattern, a)
		if !own {
			continue
		}
		for _, base := range []string{home, filepath.Clean(a.home)} {
			if rel, err := filepath.Rel(base, path); err == nil && filepath.IsLocal(rel) {
				return keyFile{Home: home, Name: rel, UID: a.uid, GID: a.gid}, "", nil
			}
		}
		return keyFile{Name: strings.TrimPrefix(path, "/")}, "", nil
	}
	return file, "sshd has no file for the keys of a single user: AuthorizedKeysFile " + frame.OneLine(strings.Join(patterns, " ")), nil
}

// expand puts a user into a pattern, as sshd does. own says that the path is that of no other user.
func expand(pattern string, a account) (path string, own bool) {
	own = !filepath.IsAbs(pattern) && pattern != "none"
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			b.WriteByte(pattern[i])
			continue
		}
		i++
		switch pattern[min(i, len(pattern)-1)] {
		case 'h':
			b.WriteString(a.home)
		case 'u':
			b.WriteString(a.login)
		case 'U':
			b.WriteString(strconv.Itoa(a.uid))
		case '%':
			b.WriteByte('%')
			continue
		default:
			return "", false
		}
		own = true
	}
	path = b.String()
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.home, path)
	}
	return filepath.Clean(path), own && !strings.HasSuffix(path, string(os.PathSeparator))
}
