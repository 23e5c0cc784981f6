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

// watch waits for a script in the background, and ends it when its time is over. The guest may be closed by then, and another one at work.
func (s *Scripts) watch(r record) error {
	k, err := s.own()
	if err != nil {
		return err
	}
	w := &watch{record: r, done: make(chan struct{})}
	s.mu.Lock()
	s.current = w
	s.mu.Unlock()
	go func() {
		pid, late := k.await(r)
		if err := errors.Join(k.finish(r, pid, late), k.machine.Close()); err != nil {
			s.machine.Log.Error("journal of scripts", slog.Any("error", err))
		}
		s.mu.Lock()
		s.current = nil
		s.mu.Unlock()
		close(w.done)
		s.machine.Wake()
	}()
	return nil
}

// await waits until a script has ended, or its time is over. pid is its last process, 0 where none was seen: there are two for a moment
// where another guest has begun as well, and one of them goes at once.
func (k keeper) await(r record) (pid int, late bool) {
	for !late {
		next := k.process(r)
		if next == 0 || next == pid {
			break
		}
		pid, late = next, !gone(next, r.Began.Add(k.Limit))
		if _, known, err := k.exit(r); known || err != nil {
			break
		}
	}
	return pid, late
}

// finish notes how a script has ended. Where its wrapper could not tell, because it is late or was itself ended, nothing of the script
// may go on; pid is that of the wrapper, 0 where it is not known. Where what the wrapper has told cannot be read, it may well have ended,
// and what it left running stays.
func (k keeper) finish(r record, pid int, late bool) error {
	_, known, err := k.exit(r)
	if err != nil && !late {
		return err
	}
	if !known && r.Boot == frame.BootID() {
		k.kill(r, pid)
	}
	status, known, err := k.exit(r)
	if err != nil {
		return err
	}
	return k.update(r, func(have *record) {
		switch {
		case have.State != running || !have.Began.Equal(r.Began):
			return // somebody else has noted it
		case known:
			have.State, have.Exit = ended, status
		case late || have.Boot == frame.BootID() && time.Since(have.Began) >= k.Limit:
			have.State = timedOut
		default:
			have.State = interrupted
		}
		have.Ended = time.Now()
	})
}

// process finds the process of a script, 0 where there is none.
func (k keeper) process(r record) (pid int) {
	if pid = k.wrapper(r); pid != 0 || r.Unit == "" {
		return pid
	}
	// A unit has its process a moment before that becomes the wrapper.
	out, err := k.machine.Run(context.Background(), frame.Command{Program: "systemctl", Args: []string{"show", "--property=MainPID", r.Unit}})
	if err == nil {
		pid, _ = strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(string(out)), "MainPID="))
	}
	return pid
}

// wrapper finds the wrapper of a script by its arguments, but for its text, which may be that of another version: it leads a session
// and belongs to root.
func (k keeper) wrapper(r record) (pid int) {
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
		if len(args) > 5 && args[0] == shell && args[3] == wrapperName && args[4] == k.path(r) && args[5] == r.Hash {
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
