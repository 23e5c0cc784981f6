package storage

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// format is the step that gives a disk its file system. The journal comes first; d has the choice of a crash where there was one.
func (l *looking) format(o order, d device, k disk, text string) frame.Step {
	s := l.storage
	return frame.Step{Text: text + " on " + o.name + ", " + o.where(), Of: o.name, Do: func(ctx context.Context) error {
		have, err := s.load()
		if err != nil {
			return err
		}
		if have.find(o).State != d.State { // a mkfs has ended since
			return atomicfile.ErrChanged
		}
		if twin := l.twin(have, o, k, ""); twin != "" {
			return fmt.Errorf("%s is the disk of %s, by another way", k.path, twin)
		}
		if err := s.untouched(ctx, d, k); err != nil {
			return fmt.Errorf("%s %w", k.path, err)
		}
		again := d.State == making
		if !again {
			d.State, d.UUID, d.Link, d.Size, d.WWID = making, newUUID(), k.link, k.size, k.wwid
		}
		d.FSType = o.fsType
		if err := s.save(d); err != nil {
			return err
		}
		return s.start(ctx, o, d, k, again)
	}}
}

// untouched makes sure, at the last moment, that a disk is what it was when it was looked at.
func (s *Storage) untouched(ctx context.Context, d device, k disk) error {
	if err := k.still(); err != nil {
		return err
	}
	there, err := mounts()
	if err != nil {
		return err
	}
	if err := k.inUse(there); err != nil {
		return err
	}
	if d.State != making {
		return s.blank(ctx, k)
	}
	c, err := s.begun(ctx, d, k)
	if err == nil && c != nil {
		err = k.unused()
	}
	return err
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

const folder = "storage/" // of the state

// path is that of a file of the state, for other programs.
func (s *Storage) path(name string) string {
	return filepath.Join(s.machine.Root().Name(), s.machine.State(folder+name))
}

// start starts a mkfs that goes on when the guest ends. It holds a lock on a file as long as it runs, by flock(1), and is not started
// where another one does; guests that look at the lock have it for an instant. again: there may be a part of that file system.
func (s *Storage) start(ctx context.Context, o order, d device, k disk, again bool) error {
	mkfs, err := frame.Find("mkfs." + d.FSType)
	if err != nil {
		return err
	}
	flock, err := frame.Find("flock")
	if err != nil {
		return err
	}
	for _, name := range []string{".lock", ".log"} {
		if err := s.machine.SaveBytes(folder+o.name+name, nil); err != nil {
			return err
		}
	}
	command := []string{flock, "--exclusive", "--timeout", "2", s.path(o.name + ".lock"), shell, "-c", marking, "comet-mkfs", s.path(markFile(d)), d.UUID, k.path}
	command = append(append(command, mkfs), makers[d.FSType].withUUID(d.UUID)...)
	if again {
		command = append(command, makers[d.FSType].again...)
	}
	cmd, err := s.background(ctx, "comet-mkfs-"+o.name+".service", s.path(o.name+".log"), append(append(command, o.options...), "--", k.path))
	if err != nil {
		return err
	}
	s.watch(o, d, k, cmd.Wait)
	return nil
}

// background starts a program that the end of the guest does not end: a unit of systemd, or a session of its own.
func (s *Storage) background(ctx context.Context, name, output string, command []string) (*exec.Cmd, error) {
	units, err := s.machine.Units(ctx)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(output, os.O_WRONLY|os.O_APPEND|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if units {
		run := frame.Unit(name, []string{"--wait", "--property=StandardOutput=file:" + output, "--property=StandardError=inherit"}, command)
		program, err := frame.Find(run.Program)
		if err != nil {
			return nil, err
		}
		command = append([]string{program}, run.Args...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/root"}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, cmd.Start()
}
