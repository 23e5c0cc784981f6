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
		pid, late := s.await(r)
		if err := s.finish(r, pid, late); err != nil {
			s.machine.Log.Error("journal of scripts", slog.Any("error", err))
		}
		s.mu.Lock()
		s.current = nil
		s.mu.Unlock()
		close(w.done)
		s.machine.Wake()
	}()
}

// await waits until a script has ended, or its time is over. pid is its last process, 0 where none was seen: there are two for a moment
// where another guest has begun as well, and one of them goes at once.
func (s *Scripts) await(r record) (pid int, late bool) {
	for !late {
		next := s.process(r)
		if next == 0 || next == pid {
			break
		}
		pid, late = next, !gone(next, r.Began.Add(s.Limit))
		if _, known := s.exit(r); known {
			break
		}
	}
	return pid, late
}

// finish notes how a script has ended. Where its wrapper could not tell, because it is late or was itself ended, nothing of the script
// may go on; pid is that of the wrapper, 0 where it is not known.
func (s *Scripts) finish(r record, pid int, late bool) error {
	if _, known := s.exit(r); !known && r.Boot == boot() {
		s.end(r, pid)
	}
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
		if len(args) > 5 && args[0] == shell && args[3] == wrapperName && args[4] == s.path(r) && args[5] == r.Hash {
			if p := look(folder); p.leads() {
				return p.pid
			}
		}
	}
	return 0
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
