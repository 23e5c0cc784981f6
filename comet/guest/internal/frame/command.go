package frame

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Command is a program of the system with its arguments. No shell sees them, and nothing secret may be among them, since everybody can
// read a process list: secrets go to standard input or into files.
type Command struct {
	Program string // its name; it is looked for where systems keep theirs, and nowhere else
	Args    []string
	Stdin   []byte
	Limit   time.Duration // a minute where it is zero
}

// String shows the command as people would type it.
func (c Command) String() string { return strings.Join(append([]string{c.Program}, c.Args...), " ") }

// folders of the system's own programs. PATH is not asked: it may lead to a folder that others may write.
var folders = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// ErrNoProgram says that a program is not installed.
var ErrNoProgram = errors.New("is not installed")

// Find returns the absolute path of a program of the system.
func Find(program string) (string, error) {
	for _, folder := range folders {
		path := filepath.Join(folder, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s %w", program, ErrNoProgram)
}

// Exec is the step that runs a command.
func (m *Machine) Exec(c Command) Step {
	return Step{Text: "run " + OneLine(c.String()), Do: func(ctx context.Context) error {
		_, err := m.Run(ctx, c)
		return err
	}}
}

// Run runs a command and returns what it printed. It and all that it started are killed at the end of ctx or of its time. An error
// tells the status, as ExitCode does, and the first line of what the command said.
func (m *Machine) Run(ctx context.Context, c Command) (stdout []byte, err error) {
	if err := m.Needs(); err != nil {
		return nil, err
	}
	path, err := Find(c.Program)
	if err != nil {
		return nil, err
	}
	if c.Limit == 0 {
		c.Limit = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, c.Args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + strings.Join(folders, ":"), "LC_ALL=C", "HOME=/root"}
	cmd.Stdin = bytes.NewReader(c.Stdin)
	cmd.SysProcAttr = alone()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err = cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("ended after %s: %w", c.Limit, err)
		}
		return out.Bytes(), fmt.Errorf("%s: %w: %s", c.Program, err, firstLine(complaint.String()+out.String()))
	}
	return out.Bytes(), nil
}

// ExitCode returns the status that a command ended with by itself, of which an error of Run tells; -1 where it tells of something else.
func ExitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return -1
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if line == "" {
		return "it said nothing"
	}
	return OneLine(line)
}
