package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// contexts returns all that the VM takes part in: first what its metadata says or, without any, what flags say now, and then what guests were
// told by flags.
func (s *Service) contexts(self identity.Identity) (all []identity.Identity, err error) {
	all = []identity.Identity{self}
	if s.Given != nil {
		all = s.withMain(self)
	}
	names, err := s.further()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		one, err := s.read(name)
		switch {
		case s.Given != nil && (path.Base(name) == self.InstanceID || err == nil && sameSlice(one, self)): // flags say it anew
		case err == nil && sameVM(one, all[0]): // metadata says so too
		case errors.Is(err, errOther):
			s.log().Warn("a context is left out", slog.String("file", "/"+name), slog.Any("because", err))
		case err != nil:
			return nil, fmt.Errorf("/%s: %w", name, err)
		default:
			all = append(all, one)
		}
	}
	return all, nil
}

// withMain puts the VM as metadata had it, where it is known, in front of what flags say. They may name the VM itself.
func (s *Service) withMain(self identity.Identity) []identity.Identity {
	main, kept := s.told()
	switch {
	case !kept:
		return []identity.Identity{self}
	case sameVM(main, self):
		return []identity.Identity{withAccess(main, self)}
	}
	return []identity.Identity{main, self}
}

// withAccess returns the VM as metadata has it, with what flags say of its slice: the tokens, and groups beside those that it is in.
func withAccess(main, self identity.Identity) identity.Identity {
	told, given := main.UserData.Slice, self.UserData.Slice
	given.HostsRead = united(told.HostsRead, given.HostsRead)
	given.HostsWrite = united(told.HostsWrite, given.HostsWrite)
	given.PubKeysRead = united(told.PubKeysRead, given.PubKeysRead)
	given.PubKeysWrite = united(told.PubKeysWrite, given.PubKeysWrite)
	main.UserData.Slice = given
	return main
}

func united(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// further returns the files of the contexts that guests were told of by flags.
func (s *Service) further() (names []string, err error) {
	root, err := frame.OpenRoot(s.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), contextsFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, path.Join(contextsFolder, e.Name()))
		}
	}
	return names, nil
}

// Leave makes the machine leave the contexts that flags have named, and nothing else: a guest that was started by flags ends, and what it
// wrote stays as it is; another that runs goes on without them, and what waits to tell it of them gives up. Where soon, other flags follow
// at once, which tell that guest.
func (s *Service) Leave(ctx context.Context, soon bool) error {
	h, err := s.look()
	if err != nil {
		return err
	}
	if h.Role == byFlags {
		if err := s.end(ctx, h); err != nil {
			return err
		}
	}
	if err := s.forget(); err != nil {
		return err
	}
	if h, err = s.look(); err != nil || soon {
		return err
	}
	return h.signal(unix.SIGHUP)
}

// forget removes what is kept of further contexts.
func (s *Service) forget() error {
	root, err := frame.OpenRoot(s.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveAll(contextsFolder)
}

// stopPoll is how often it is looked at whether a guest has ended.
const stopPoll = 100 * time.Millisecond

// Stop ends the guest that runs on the machine, and another that takes its place meanwhile, and waits for their end. Where none runs there
// is nothing to do.
func (s *Service) Stop(ctx context.Context) error {
	for {
		h, err := s.look()
		if err != nil || !h.runs() {
			return err
		}
		if err := s.end(ctx, h); err != nil {
			return err
		}
	}
}

// end ends a guest and waits until it has the machine no more.
func (s *Service) end(ctx context.Context, h holder) error {
	if err := h.signal(unix.SIGTERM); err != nil {
		return err
	}
	ticks := time.NewTicker(stopPoll)
	defer ticks.Stop()
	for {
		if now, err := s.look(); err != nil || now != h {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks.C:
		}
	}
}
