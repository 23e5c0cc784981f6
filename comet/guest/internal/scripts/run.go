package scripts

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// wrapper runs a script and leaves how it ended in .exit. Its arguments are the folder, the hash, how many blocks of output are kept and
// where, and the command. The first cat fails at the bound of its file, the second one reads on. A program that the script leaves running
// keeps the pipe open, and something has to read it; but nobody waits for it.
//
// A guest that is killed while it starts the wrapper may leave one that nobody sees for a moment, and the next guest starts another: the
// one that makes .began goes on.
const wrapper = `umask 077
cd "$1" && rm -f .out-$$ && mkfifo .out-$$ && echo "$2" >.began-$$ && ln .began-$$ .began && mv .out-$$ .out
first=$?
rm -f .out-$$ .began-$$
[ $first = 0 ] || exit
hash=$2
{ ulimit -c 0; ulimit -f "$3"; cat; cat >/dev/null; } <.out >"$4" 2>/dev/null &
log=$!
shift 4
(umask 022; exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root LOGNAME=root SHELL=/bin/sh LANG=C.UTF-8 "$@") </dev/null >.out 2>&1
code=$?
n=0
while [ $n -lt 10 ] && kill -0 $log 2>/dev/null; do sleep 0.1; n=$((n + 1)); done
rm -f .out
echo "$hash $code" >.exit.new && sync .exit.new
mv .exit.new .exit; exit` // without which some shells become the mv

const (
	wrapperName = "comet-script"
	block       = 512 // bytes, in which ulimit -f counts
)

// begin is the step that starts a script. Whoever finds a script that is running by the journal, in the boot in which it was written,
// but that has not begun, may start it.
func (s *Scripts) begin(w script) frame.Step {
	r := record{Name: w.name, Hash: w.hash}
	return frame.Step{Text: "run " + r.text(), Do: func(ctx context.Context) error {
		if err := s.makeRoom(w, r); err != nil {
			return err
		}
		if err := s.machine.SaveBytes(r.folder()+"/"+slug(w.name), []byte(w.body.Reveal()+"\n")); err != nil {
			return err
		}
		r.Boot = frame.BootID()
		units, err := s.machine.Units(ctx)
		if err != nil {
			return err
		}
		if units {
			r.Unit = "comet-script-" + slug(w.name) + "-" + w.hash[:8] + ".service"
		}
		err = s.update(r, func(have *record) {
			runs := have.Runs
			if have.State != running { // else it has not begun
				runs++
			}
			r = record{Name: r.Name, Hash: r.Hash, State: running, Began: time.Now(), Boot: r.Boot, Unit: r.Unit, Runs: runs}
			*have = r
		})
		if err != nil {
			return err
		}
		if err := s.start(ctx, r, command(w)); err != nil {
			return err
		}
		return s.watch(r)
	}}
}

// makeRoom makes room for a run of a script. The output of the one before is kept as NAME.log.1. Where the script is running by the
// journal room was made, and what is there now may be of a wrapper that has just begun.
func (s *Scripts) makeRoom(w script, r record) error {
	j, err := s.journal()
	if err != nil {
		return err
	}
	root, name := s.machine.Root(), func(name string) string { return s.machine.State(r.folder() + "/" + name) }
	if have, _ := j.find(w); have.State == running {
		if whose, _, err := s.whose(r, ".began"); err != nil || whose == "" || whose == r.Hash {
			return err
		}
	}
	for _, err := range []error{root.Rename(name(r.log()), name(r.log()+".1")), root.Remove(name(".began")), root.Remove(name(".exit"))} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// command returns what a script is run with: the interpreter in its first line, as the kernel would, or the shell.
func command(w script) []string {
	line, _, _ := strings.Cut(w.body.Reveal(), "\n")
	line, found := strings.CutPrefix(line, "#!")
	program, argument, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch {
	case !found || program == "":
		return []string{"/bin/sh"}
	case strings.TrimSpace(argument) == "":
		return []string{program}
	}
	return []string{program, strings.TrimSpace(argument)}
}

// start starts the wrapper, so that it outlives the guest.
func (s *Scripts) start(ctx context.Context, r record, interpreter []string) error {
	folder := s.path(r)
	name := slug(r.Name)
	args := append([]string{"-c", wrapper, wrapperName, folder, r.Hash, strconv.Itoa((s.MaxLog + block - 1) / block), r.log()}, interpreter...)
	args = append(args, filepath.Join(folder, name))
	if r.Unit != "" {
		return s.startUnit(ctx, r, args)
	}
	cmd := exec.Command(shell, args...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // its end is seen by watch
	return nil
}

const shell = "/bin/sh"

// startUnit starts the wrapper as a unit. Its end does not end what the script left running.
func (s *Scripts) startUnit(ctx context.Context, r record, args []string) error {
	options := []string{"--description=COMET script " + slug(r.Name), "--property=KillMode=process", "--property=TasksMax=infinity"}
	_, err := s.machine.Run(ctx, frame.Unit(r.Unit, options, append([]string{shell}, args...)))
	return err
}
