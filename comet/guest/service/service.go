package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
)

// Service is the guest of one machine. One goroutine at a time may use it.
type Service struct {
	Root     string                            // the folder below which all files lie; "/" where it is empty
	Settings func() (settings.Settings, error) // reads the settings, at the start and after each reload
	Given    *identity.Given                   // who the VM is, where flags say so and no metadata is asked; may be nil
	UserData string                            // --user-data, in place of the settings' source: a file, wherever Root is; may be empty
	CACert   string                            // --cacert, in place of the settings' cacert: a file, wherever Root is; may be empty
	Log      *slog.Logger                      // slog.Default() where it is nil
	Version  string                            // of the program, for the status
	Notify   func(state string)                // tells systemd, as sd_notify(3) describes; may be nil

	measured measured
}

// lookAgain is how often a guest that runs asks whether it is still the same VM, at the same addresses.
const lookAgain = 5 * time.Minute

// Once finds out who the VM is, makes one pass, and waits for what it has started. Where nobody says who the VM is now, it goes by what was
// found last time. Where Clean is at work, or comes first, nothing is done, and the error matches guest.ErrCleaning.
func (s *Service) Once(ctx context.Context) (st guest.Status, err error) {
	cleaned, err := guest.Cleaned(s.Root)
	if err != nil {
		return st, err
	}
	o, err := s.begin(ctx)
	if err != nil {
		return st, err
	}
	defer o.close()
	leave, err := guest.Stay(s.Root, cleaned) // until all is kept, so that Clean takes all of it away
	if err != nil {
		return st, err
	}
	defer func() { err = errors.Join(err, leave()) }()
	self := *o.self.Load()
	remembered := s.remember(self, o.guest.Status())
	st, err = o.guest.Once(ctx)
	if !remembered {
		s.remember(self, st)
	}
	return st, err
}

// Plan finds out who the VM is and says what Once would do. It writes nothing.
func (s *Service) Plan(ctx context.Context) (guest.Status, error) {
	o, err := s.begin(ctx)
	if err != nil {
		return guest.Status{}, err
	}
	defer o.close()
	return o.guest.Plan(ctx)
}

// Told returns what the VM is told, and who it is. With an error, it is what was known before.
func (s *Service) Told(ctx context.Context) (told guest.Told, self identity.Identity, err error) {
	o, err := s.begin(ctx)
	if err != nil {
		return told, self, err
	}
	defer o.close()
	told, err = o.guest.Told(ctx)
	return told, *o.self.Load(), err
}

// Clean takes away what makes the machine this VM; see guest.Clean. The error matches ErrRunning where a guest runs, and guest.ErrCleaning
// where another cleans. No guest can be started meanwhile.
func (s *Service) Clean(ctx context.Context) (done []guest.Change, err error) {
	release, err := s.alone(asClean)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	return guest.Clean(ctx, s.Root, s.log())
}

// begin makes the guest of the VM for one errand.
func (s *Service) begin(ctx context.Context) (*opened, error) {
	set, err := s.Settings()
	if err != nil {
		return nil, &InputError{err}
	}
	self, err := s.identify(ctx, set)
	if err != nil {
		return nil, err
	}
	o, err := s.open(set, self, s.log().Enabled(ctx, slog.LevelInfo)) // what fails is the errand's error, and nothing else that the log needs
	if err != nil {
		return nil, &InputError{err}
	}
	return o, nil
}

// InputError says that settings, or what says who the VM is, cannot be used as they are.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *InputError) Unwrap() error { return e.Err }

// identify asks once who the VM is, and falls back on what was found last time.
func (s *Service) identify(ctx context.Context, set settings.Settings) (identity.Identity, error) {
	before, kept := s.recall()
	self, err := s.search(set, before).Find(ctx)
	switch {
	case err == nil:
		return self, nil
	case s.file(set).Path != "": // people who name a file mean that one
		return self, &InputError{s.ofFile(err)}
	case kept && !errors.Is(err, identity.ErrBroken) && ctx.Err() == nil:
		s.log().Warn("who the VM is: what was found last time holds", slog.String("because", err.Error()))
		return before, nil
	case errors.Is(err, identity.ErrBroken):
		return self, &InputError{err}
	}
	return self, err
}

// file is the file that says who the VM is, where somebody names one. Those of the settings lie below the root.
func (s *Service) file(set settings.Settings) identity.File {
	switch {
	case s.UserData != "":
		return identity.File{Path: s.UserData}
	case path.IsAbs(set.Source):
		return identity.File{Path: set.Source, Root: s.Root}
	}
	return identity.File{}
}

// ofFile is what is wrong with the file that was named, whatever the cloud says beside it.
func (s *Service) ofFile(err error) error {
	if e, ok := errors.AsType[*identity.NotFoundError](err); ok && len(e.Reasons) > 0 {
		err = e.Reasons[0]
	}
	if s.UserData != "" {
		return fmt.Errorf("--user-data: %w", err)
	}
	return fmt.Errorf("settings: source: %w", err)
}

// search is how to find out who the VM is.
func (s *Service) search(set settings.Settings, before identity.Identity) identity.Search {
	p := identity.Places{File: s.file(set), Metadata: identity.Metadata{Base: set.Metadata}, Drive: identity.ConfigDrive{Root: s.Root}}
	search := identity.Search{Before: before, Tell: func(reason error) {
		s.log().Warn("nobody says yet who the VM is", slog.String("because", reason.Error()))
	}}
	switch {
	case s.Given != nil:
		search.Sources = []identity.Source{*s.Given}
	case p.File.Path == "" && set.Source == "metadata":
		search.Sources = []identity.Source{p.Metadata}
	case p.File.Path == "" && set.Source == "config-drive":
		search.Sources = []identity.Source{p.Drive}
	default:
		search.Sources = p.Sources()
	}
	return search
}

func (s *Service) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}

func (s *Service) notify(format string, args ...any) {
	if s.Notify != nil {
		s.Notify(fmt.Sprintf(format, args...))
	}
}

// Self finds out who the VM is, without asking any head. Where nobody says so now, it is what was found last time.
func (s *Service) Self(ctx context.Context) (identity.Identity, error) {
	set, err := s.Settings()
	if err != nil {
		return identity.Identity{}, &InputError{err}
	}
	return s.identify(ctx, set)
}
