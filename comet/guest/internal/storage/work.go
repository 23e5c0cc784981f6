package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// work is a mkfs whose end this guest awaits, or has seen.
type work struct {
	options []string
	done    chan struct{}
	err     error // once it is done
	retry   time.Time
	times   int // that it failed in a row
}

// watch waits for the end of a mkfs in the background, and notes how that was.
func (s *Storage) watch(o order, d device, k disk, wait func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &work{options: o.options, done: make(chan struct{})}
	if before := s.works[o.name]; before != nil {
		w.times = before.times
	}
	s.works[o.name] = w
	go func() {
		if w.err = wait(); w.err == nil {
			w.err = s.ended(d, k)
		}
		if w.err != nil {
			w.err = fmt.Errorf("mkfs.%s: %w; what it said is in %s", d.FSType, w.err, s.path(o.name+".log"))
			w.retry = time.Now().Add(min(time.Minute<<min(w.times, 10), time.Hour))
			w.times++
		}
		close(w.done)
		s.machine.Wake()
	}()
}

func (s *Storage) work(o order) *work {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.works[o.name]
}

// under reports whether it goes on.
func (w *work) under() bool {
	if w == nil {
		return false
	}
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// failure is why a mkfs that is done has failed; nothing once it may be tried again, or with other options.
func (w *work) failure(o order) error {
	if w == nil || w.err == nil || !slices.Equal(w.options, o.options) || time.Now().After(w.retry) {
		return nil
	}
	return w.err
}

// Wait returns when no file system is being made any more.
func (s *Storage) Wait(ctx context.Context) error {
	s.mu.Lock()
	var all []*work
	for _, w := range s.works {
		all = append(all, w)
	}
	s.mu.Unlock()
	for _, w := range all {
		select {
		case <-w.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// locked reports whether a mkfs is under way on a disk, which another guest may have started.
func (s *Storage) locked(name string) (bool, error) {
	f, err := os.OpenFile(s.path(name+".lock"), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// unlocked waits until no mkfs is under way on a disk.
func (s *Storage) unlocked(name string) error {
	unlock, err := atomicfile.Lock(context.Background(), s.path(name+".lock"))
	if err != nil {
		return err
	}
	return unlock()
}
