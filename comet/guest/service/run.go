package service

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
)

// Run keeps the VM's guest running until ctx ends, and then returns nil. A value on reload makes it read the settings again and find
// out again who the VM is; settings that make no sense leave it as it was. Run says at once that it is ready, so that a machine's start
// waits for nothing that is told over a network. An error that matches *InputError says that it could not begin; one that matches
// ErrRunning, that another guest runs on this machine; one that matches guest.ErrCleaning, that Clean is at work. Where flags say who the VM
// is and another guest runs, that one is told of the context, and Run returns.
func (s *Service) Run(ctx context.Context, reload <-chan struct{}) error {
	set, err := s.Settings()
	if err != nil {
		return &InputError{err}
	}
	release, err := s.begins(ctx, set)
	if err != nil || release == nil {
		return err
	}
	s.log().Info("started", slog.String("version", s.Version), slog.String("root", s.Root))
	r := &run{Service: s, set: set, reload: reload, began: time.Now()}
	defer release()
	if r.metrics, err = r.beginMetrics(ctx, set); err != nil {
		return &InputError{err}
	}
	defer func() { r.metrics.end() }()
	s.notify("READY=1")
	defer s.notify("STOPPING=1")
	self, kept := s.recall()
	for ctx.Err() == nil {
		if !kept {
			if self, err = r.wait(ctx); err != nil {
				return r.ended(ctx, err)
			}
		}
		if self, kept, err = r.live(ctx, self); err != nil {
			return r.ended(ctx, err)
		}
	}
	return nil
}

// begins makes this the guest of the machine until release is called. With a nil release, one that runs already has been told what flags say.
func (s *Service) begins(ctx context.Context, set settings.Settings) (release func() error, err error) {
	if s.Given == nil {
		return s.alone(asGuest)
	}
	for {
		release, err = s.alone(byFlags)
		if !errors.Is(err, ErrRunning) {
			return release, err
		}
		if err = s.join(ctx, set); !errors.Is(err, errEnded) {
			return nil, err
		}
	}
}

// run is a service under way.
type run struct {
	*Service
	set       settings.Settings
	reload    <-chan struct{}
	began     time.Time
	written   Status // as the status file has it
	unwritten string // why it has not what it should
	metrics   *metricsServer
}

// ended tells the end that was asked for from others.
func (r *run) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// wait waits until somebody says who the VM is.
func (r *run) wait(ctx context.Context) (identity.Identity, error) {
	beat := r.heartbeat()
	defer beat.Stop()
	for {
		r.tell(Status{State: StateSearching, Reason: "nobody has said yet who the VM is"})
		searching, cancel := context.WithCancel(ctx)
		self, err := r.await(ctx, r.find(searching, identity.Identity{}), beat)
		cancel()
		if !errors.Is(err, errAnew) {
			return self, err
		}
		r.reread(ctx)
	}
}

// errAnew says that the settings are to be read again.
var errAnew = errors.New("settings are to be read again")

// await waits for what is found, and tells systemd meanwhile that the guest lives.
func (r *run) await(ctx context.Context, found <-chan identity.Identity, beat *time.Ticker) (identity.Identity, error) {
	for {
		select {
		case <-ctx.Done():
			return identity.Identity{}, ctx.Err()
		case <-r.reload:
			return identity.Identity{}, errAnew
		case <-beat.C:
			r.notify("WATCHDOG=1")
		case self, ok := <-found:
			if !ok { // the search ends with ctx alone
				return self, ctx.Err()
			}
			return self, nil
		}
	}
}

// find looks for who the VM is until it is found or ctx ends.
func (r *run) find(ctx context.Context, before identity.Identity) <-chan identity.Identity {
	found := make(chan identity.Identity, 1)
	search := r.search(r.set, before)
	go func() {
		defer close(found)
		if self, err := search.Wait(ctx); err == nil {
			found <- self
		}
	}()
	return found
}

// reread takes up changed settings.
func (r *run) reread(ctx context.Context) {
	r.notify("RELOADING=1\nMONOTONIC_USEC=%d", monotonic())
	set, err := r.Settings()
	if err != nil {
		r.log().Error("the settings make no sense; those of before hold", slog.Any("because", err))
	} else {
		r.take(ctx, set)
		r.log().Info("settings read again")
	}
	r.notify("READY=1")
}

// take takes up settings. A place that cannot be had stays where it was.
func (r *run) take(ctx context.Context, set settings.Settings) {
	if set.MetricsListen != r.set.MetricsListen {
		if metrics, err := r.beginMetrics(ctx, set); err != nil {
			r.log().Error("metrics are served where they were before", slog.Any("because", err))
			set.MetricsListen = r.set.MetricsListen
		} else {
			r.metrics.end()
			r.metrics = metrics
		}
	}
	for before, now := range map[string]string{r.set.StatusFile: set.StatusFile, r.set.MetricsFile: set.MetricsFile} {
		if before != now && before != "" {
			if err := removeBelow(r.Root, before); err != nil {
				r.log().Error("a file that is true no more stays", slog.Any("because", err))
			}
		}
	}
	r.set, r.written = set, Status{} // what is written goes where they say
}

// live keeps a guest running until it is another VM's or its settings have changed, and returns who the VM is then.
func (r *run) live(ctx context.Context, self identity.Identity) (next identity.Identity, kept bool, err error) {
	o, err := r.open(r.set, self, true)
	if err != nil {
		return r.mend(ctx, self, err)
	}
	l := &life{run: r, o: o, of: self, since: time.Now()}
	l.remembered = r.remember(self, o.guest.Status()) // only now: what cannot be used must not replace what can
	r.log().Info("this VM is "+self.UserData.HostName, slog.String("context", self.UserData.SliceID.String()), slog.String("source", self.Source))
	next, err = l.serve(ctx)
	return next, true, err
}

// mend waits until what says who the VM is, or the settings, have changed, after they could not be used.
func (r *run) mend(ctx context.Context, self identity.Identity, err error) (identity.Identity, bool, error) {
	r.log().Error("the guest cannot begin", slog.Any("because", err))
	r.tell(Status{State: StateFailed, Reason: err.Error(), Source: self.Source})
	retry := time.NewTicker(time.Minute)
	defer retry.Stop()
	beat := r.heartbeat()
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return self, true, nil
		case <-beat.C:
			r.notify("WATCHDOG=1")
			continue
		case <-r.reload:
			r.reread(ctx)
		case <-retry.C:
		}
		if now, err := r.search(r.set, self).Find(ctx); err == nil {
			return now, true, nil
		}
		return self, true, nil
	}
}
