package scripts

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// watch is a script whose end is awaited.
type watch struct {
	record record
	done   chan struct{}
}

// watch waits for a script in the background, and ends it when its time is over.
func (s *Scripts) watch(r record) {
	w := &watch{record: r, done: make(chan struct{})}
	s.mu.Lock()
	s.current = w
	s.mu.Unlock()
	go func() {
		late := s.await(r)
		err := s.finish(r, late)
		if err != nil {
			s.machine.Log.Error("journal of scripts", slog.Any("error", err))
		}
		s.mu.Lock()
		s.current = nil
		s.mu.Unlock()
		close(w.done)
		s.machine.Wake()
	}()
}

// await returns when a script has ended. late says that it had to be.
func (s *Scripts) await(r record) (late bool) {
	deadline := r.Began.Add(s.Limit)
	for _, signal := range []syscall.Signal{0, syscall.SIGTERM, syscall.SIGKILL} {
		pid := s.process(r)
		if pid == 0 {
			return late
		}
		if signal != 0 {
			late, deadline = true, time.Now().Add(grace)
			s.kill(r, pid, signal)
		}
		if gone(pid, deadline) {
			return late
		}
	}
	return late
}

// grace is how long a script may take to end when it has to.
const grace = 10 * time.Second

func (s *Scripts) kill(r record, pid int, signal syscall.Signal) {
	err := syscall.Kill(-pid, signal)
	if r.Unit != "" {
		_, err = s.machine.Run(context.Background(), frame.Command{Program: "systemctl", Args: []string{"kill", "--signal=" + strconv.Itoa(int(signal)), r.Unit}})
	}
	if err != nil {
		s.machine.Log.Warn("end a script that takes too long", slog.String("script", r.Name), slog.Any("error", err))
	}
}

// finish notes how a script has ended.
func (s *Scripts) finish(r record, late bool) error {
	status, known := s.exit(r)
	return s.update(r, func(have *record) {
		switch {
		case have.State != running || !have.Began.Equal(r.Began):
			return // somebody else has noted it
		case known:
			have.State, have.Exit = ended, status
		case late || have.Boot == boot() && time.Since(have.Began) >= s.Limit:
			have.State = timedOut
		default:
			have.State = interrupted
		}
		have.Ended = time.Now()
	})
}

// process finds the process of a script, 0 where there is none.
func (s *Scripts) process(r record) (pid int) {
	if pid = s.wrapper(r); pid != 0 || r.Unit == "" {
		return pid
	}
	// A unit has its process a moment before that becomes the wrapper.
	out, err := s.machine.Run(context.Background(), frame.Command{Program: "systemctl", Args: []string{"show", "--property=MainPID", r.Unit}})
	if err == nil {
		pid, _ = strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(string(out)), "MainPID="))
	}
	return pid
}

// wrapper finds the wrapper of a script by its arguments, but for its text, which may be that of another version: it leads a session
// and belongs to root.
func (s *Scripts) wrapper(r record) (pid int) {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		info, err := os.Stat(folder)
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
			continue
		}
		line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err != nil {
			continue
		}
		args := strings.Split(string(line), "\x00")
		if len(args) > 5 && args[0] == shell && args[3] == wrapperName && args[4] == s.path(r) && args[5] == r.Hash && leads(folder) {
			pid, _ = strconv.Atoi(filepath.Base(folder))
			return pid
		}
	}
	return 0
}

// leads reports whether a process leads its session, as no child of it does.
func leads(folder string) bool {
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // state, parent, group, session
	return len(fields) > 3 && fields[3] == filepath.Base(folder)
}

func lookedFor(pid int, deadline time.Time) bool {
	for errors.Is(syscall.Kill(pid, 0), nil) {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(time.Second)
	}
	return true
}
