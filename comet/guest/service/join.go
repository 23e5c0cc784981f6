package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
)

// join leaves the context that flags name to the guest that runs on the machine already, once heads have shown that there is such a VM.
// Where the machine leaves its contexts before, or is cleaned, or ctx ends, nothing is kept. The error matches errEnded where that guest has
// ended before it could be told anything.
func (s *Service) join(ctx context.Context, set settings.Settings) error {
	self, err := s.search(set, identity.Identity{}).Find(ctx)
	if err != nil {
		return &InputError{err}
	}
	folder, err := s.keepsBeside() // open from now on: in one that Leave or Clean has removed nothing can be kept
	if err != nil {
		return err
	}
	defer folder.Close()
	err = s.visible(ctx, set, self, folder)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = s.staying(func() error { return s.keepThere(folder, self) })
	}
	if s.gone(folder) {
		s.log().Info("the context was left before it was taken up", slog.String("context", self.UserData.SliceID.String()))
		return nil
	}
	if err != nil {
		return err
	}
	return s.announce(self)
}

// announce tells the guest that runs that a context is kept for it.
func (s *Service) announce(self identity.Identity) error {
	h, err := s.look()
	if err == nil {
		err = h.signal(unix.SIGHUP)
	}
	if err != nil {
		return fmt.Errorf("tell the guest that runs of the context: %w", err)
	}
	who := "the guest that runs on this machine"
	if !h.runs() {
		who = "the next guest that runs on this machine"
	}
	s.log().Info(who+" takes the context up", slog.String("context", self.UserData.SliceID.String()))
	return nil
}

// errEnded says that the guest that ran has ended.
var errEnded = errors.New("the guest that ran on this machine has ended")

// keepsBeside opens the folder in which contexts are kept for the guest that runs.
func (s *Service) keepsBeside() (folder *os.Root, err error) {
	err = s.staying(func() error {
		h, err := s.look()
		switch {
		case err != nil:
			return err
		case h == holder{}:
			return errEnded
		case !h.runs():
			return h.refusal()
		}
		folder, err = s.keepsIn()
		return err
	})
	return folder, err
}

// staying keeps Clean waiting while something is done.
func (s *Service) staying(do func() error) error {
	cleaned, err := guest.Cleaned(s.Root)
	if err != nil {
		return err
	}
	leave, err := guest.Stay(s.Root, cleaned)
	if err != nil {
		return err
	}
	return errors.Join(do(), leave())
}

// visible waits until a head answers, and returns why what it shows is nothing of the VM that flags name. It waits no longer when ctx ends
// or the contexts of the folder have been left.
func (s *Service) visible(ctx context.Context, set settings.Settings, self identity.Identity, folder *os.Root) error {
	for said := false; !s.gone(folder); said = true {
		st, err := s.Plan(ctx)
		switch c := contextOf(st, self); {
		case c.Shown:
			return nil
		case c.Failure != guest.NoHead:
			return err
		}
		if !said {
			s.log().Warn("the guest that runs on this machine is told when a head answers", slog.Any("because", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(set.Every):
		}
	}
	return nil
}

// gone reports whether the machine has left its contexts since the folder of them was opened.
func (s *Service) gone(folder *os.Root) bool {
	root, err := frame.OpenRoot(s.Root)
	if err != nil {
		return false
	}
	defer root.Close()
	then, err := folder.Stat(".")
	if err != nil {
		return false
	}
	now, err := root.Stat(contextsFolder)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(then, now)
}
