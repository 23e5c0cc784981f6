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
	"github.com/renci-nrig/comet-go/comet/guest/settings"
)

// join leaves the context that flags name to the guest that runs on the machine already, once heads have shown that there is such a VM.
// Where the machine leaves its contexts before, or ctx ends, nothing is kept.
func (s *Service) join(ctx context.Context, set settings.Settings) error {
	self, err := s.search(set, identity.Identity{}).Find(ctx)
	if err != nil {
		return &InputError{err}
	}
	folder, err := s.keepsIn() // open from now on: in one that Leave has removed nothing can be kept
	if err != nil {
		return err
	}
	defer folder.Close()
	err = s.visible(ctx, set, self, folder)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = s.keepThere(folder, self)
	}
	if s.gone(folder) {
		s.log().Info("the context was left before it was taken up", slog.String("context", self.UserData.SliceID.String()))
		return nil
	}
	if err != nil {
		return err
	}
	st, err := ReadStatus(s.Root, set)
	if err == nil {
		err = st.signal(unix.SIGHUP)
	}
	if err != nil {
		return fmt.Errorf("tell the guest that runs of the context: %w", err)
	}
	s.log().Info("the guest that runs on this machine takes the context up", slog.String("context", self.UserData.SliceID.String()))
	return nil
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
	root, err := openRoot(s.Root)
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
