package service

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/identity"
)

// life is a guest that runs for one VM with one choice of settings.
type life struct {
	*run
	o          *opened
	of         identity.Identity
	since      time.Time
	remembered bool
	found      <-chan identity.Identity // of who is being asked who the VM is; nil where nobody is
	next       identity.Identity        // who the VM is from change on
	change     <-chan time.Time
}

// serve keeps the guest running, and returns who the VM is afterwards.
func (l *life) serve(ctx context.Context) (next identity.Identity, err error) {
	living, cancel := context.WithCancel(ctx)
	passes := make(chan guest.Status, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- l.o.guest.Run(living, func(st guest.Status) {
			l.measured.pass(st)
			latest(passes, st)
		})
	}()
	l.found = l.find(living, l.of)
	defer func() {
		cancel()
		if l.found != nil {
			for range l.found { // it ends with living
			}
		}
		err = errors.Join(err, <-ended, l.o.close())
	}()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	beat := l.heartbeat()
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.of, nil
		case <-l.reload:
			l.reread(ctx)
			return l.of, nil
		case st := <-passes:
			l.remembered = l.remembered || l.remember(l.of, st)
			l.tell(Status{Status: st, State: StateRunning, Source: l.of.Source})
		case <-beat.C:
			l.beat(l.o.guest.Status())
		case <-again.C:
			if l.found == nil {
				l.found = l.find(living, l.of)
			}
		case now, ok := <-l.found:
			l.hear(now, ok)
		case <-l.change:
			return l.next, nil
		}
	}
}

// hear takes up what was found of who the VM is. Another identity takes the place of this one when the guest has run long enough.
func (l *life) hear(now identity.Identity, ok bool) {
	switch {
	case !ok: // the search is over
		l.found = nil
	case same(l.of, now):
		l.o.self.Store(&now)
	default:
		l.log().Info("the VM is told something new of itself", slog.String("source", now.Source))
		l.next, l.change = now, time.After(leastLife-time.Since(l.since))
	}
}

// same reports whether two identities say the same but for addresses.
func same(a, b identity.Identity) bool {
	return a.InstanceID == b.InstanceID && a.OpenStack == b.OpenStack && said(a) == said(b)
}

// said is what an identity says of the VM. OpenStack's metadata has more in it, some of it another each time: a random seed.
func said(i identity.Identity) string {
	if i.OpenStack {
		if text, err := i.UserData.INI(); err == nil {
			return string(text)
		}
	}
	return i.Text.Reveal()
}

// leastLife is how long a guest runs at least before another identity takes its place, so that a source that says something else each
// time does not keep the machine busy.
const leastLife = 10 * time.Second

// latest puts a value into a channel of one, in the place of one that nobody took.
func latest[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	c <- v
}
