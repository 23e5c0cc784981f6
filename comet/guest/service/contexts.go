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
)

// contexts returns all that the VM takes part in: what its metadata says first, and then what guests were told by flags.
func (s *Service) contexts(self identity.Identity) (all []identity.Identity, err error) {
	if s.Given == nil {
		all = append(all, self)
	} else if main, kept := s.told(); kept {
		all = append(all, main)
	}
	names, err := s.further()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		one, err := s.read(name)
		switch {
		case s.Given != nil && (path.Base(name) == self.InstanceID || err == nil && sameSlice(one, self)): // flags say it anew
		case err == nil && len(all) > 0 && sameVM(one, all[0]): // metadata says so too
		case errors.Is(err, errOther):
			s.log().Warn("a context is left out", slog.String("file", "/"+name), slog.Any("because", err))
		case err != nil:
			return nil, fmt.Errorf("/%s: %w", name, err)
		default:
			all = append(all, one)
		}
	}
	switch { // what flags say now, not what they said before
	case s.Given == nil:
	case len(all) > 0 && sameVM(all[0], self):
		all[0] = withAccess(all[0], self)
	default:
		all = append(all, self)
	}
	return all, nil
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
	root, err := openRoot(s.Root)
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
	set, err := s.Settings()
	if err != nil {
		return &InputError{err}
	}
	st, err := ReadStatus(s.Root, set)
	if err != nil {
		return err
	}
	if st.Source == (identity.Given{}).Name() {
		if err := s.Stop(ctx); err != nil {
			return err
		}
	}
	if err := s.forget(); err != nil {
		return err
	}
	if st, err = ReadStatus(s.Root, set); err != nil || soon {
		return err
	}
	return st.signal(unix.SIGHUP)
}

// signal sends a signal to the guest that runs. Where none does, the process of that number may be anybody's.
func (s Status) signal(signal unix.Signal) error {
	if s.State == StateStopped || s.PID <= 0 { // which would be our own processes
		return nil
	}
	if err := unix.Kill(s.PID, signal); !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// forget removes what is kept of further contexts.
func (s *Service) forget() error {
	root, err := openRoot(s.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveAll(contextsFolder)
}

// stopPoll is how often it is looked at whether a guest has ended.
const stopPoll = 100 * time.Millisecond

// Stop ends the guest that runs on the machine and waits for its end. Where none runs there is nothing to do.
func (s *Service) Stop(ctx context.Context) error {
	set, err := s.Settings()
	if err != nil {
		return &InputError{err}
	}
	ticks := time.NewTicker(stopPoll)
	defer ticks.Stop()
	for told := 0; ; {
		st, err := ReadStatus(s.Root, set)
		if err != nil || st.State == StateStopped {
			return err
		}
		if told != st.PID {
			if err := st.signal(unix.SIGTERM); err != nil {
				return err
			}
			told = st.PID
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks.C:
		}
	}
}
