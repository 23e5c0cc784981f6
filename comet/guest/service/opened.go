package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// opened is a guest with all that it stands on.
type opened struct {
	guest   *guest.Guest
	clients []*comet.Client
	self    atomic.Pointer[identity.Identity] // the addresses in it may change while the guest runs
}

// open makes the guest of the VM. Where attempts is set, what clients do at heads is logged.
func (s *Service) open(set settings.Settings, self identity.Identity, attempts bool) (o *opened, err error) {
	o = &opened{}
	o.self.Store(&self)
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	contexts, err := s.contexts(self)
	if err != nil {
		return o, err
	}
	trust, err := s.trust(set)
	if err != nil {
		return o, err
	}
	var members []guest.Member
	for _, c := range contexts {
		m, err := s.member(trust, c, attempts)
		if err != nil {
			return o, fmt.Errorf("%s: %w", c.Source, err)
		}
		if m.Client != nil {
			o.clients = append(o.clients, m.Client)
		}
		members = append(members, m)
	}
	gs, err := s.guestSettings(set, contexts[0], o)
	if err != nil {
		return o, err
	}
	if o.guest, err = guest.New(gs, members...); err != nil {
		return o, fmt.Errorf("%s: %w", contexts[0].Source, err)
	}
	return o, nil
}

func (o *opened) close() error {
	var errs []error
	if o.guest != nil {
		errs = append(errs, o.guest.Close())
	}
	for _, c := range o.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// member connects to the heads of a context. User data without heads has all that the VM needs in it.
func (s *Service) member(t guest.Trust, self identity.Identity, attempts bool) (guest.Member, error) {
	m := guest.Member{Self: self.UserData}
	if self.UserData.CometHost == "" {
		return m, nil
	}
	t.Logger = s.log()
	options := []comet.Option{comet.WithObserver(s.measured.attempt)}
	if attempts {
		options = append(options, comet.WithLogger(s.log()))
	}
	client, err := t.Connect(self.UserData, s.Root, options...)
	if err != nil {
		return m, err
	}
	m.Client = client
	return m, nil
}

// trust is what flags and settings say of heads. A CA that they name has to be one, and is not the user data's fault.
func (s *Service) trust(set settings.Settings) (guest.Trust, error) {
	accept, err := tlsconfig.ParseNames(set.ServerName)
	if err != nil {
		return guest.Trust{}, fmt.Errorf("settings: server-name: %w", err)
	}
	t := guest.Trust{Names: tlsconfig.Names{Accept: accept, Any: set.AnyName, Insecure: set.Insecure}}
	if t.Files, err = s.authority(set); err == nil && t.Files.CA != "" {
		err = check(t.Files)
	}
	if err != nil {
		from := "settings: cacert"
		if s.CACert != "" {
			from = "--cacert"
		}
		return t, fmt.Errorf("%s: %w", from, err)
	}
	return t, nil
}

// authority is the CA that flags or settings name; that of the settings lies below the root.
func (s *Service) authority(set settings.Settings) (f tlsconfig.Files, err error) {
	f.CA = cmp.Or(s.CACert, set.CACert)
	if s.CACert != "" || f.CA == "" || filepath.Clean(cmp.Or(s.Root, "/")) == "/" {
		return f, nil // which is followed while it changes
	}
	root, err := frame.OpenRoot(s.Root)
	if err != nil {
		return f, err
	}
	defer root.Close()
	text, err := atomicfile.Read(root, below(f.CA), atomicfile.ReplaceOptions{})
	f.CA, f.CAText = filepath.Join(s.Root, f.CA), string(text)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: no such file", f.CA)
	}
	return f, err
}

// check tells why a file cannot be the CA.
func check(f tlsconfig.Files) error {
	_, err := tlsconfig.Open(f, tlsconfig.Names{}, tlsconfig.WithInterval(0), tlsconfig.WithLogger(slog.New(slog.DiscardHandler)))
	return err
}

func (s *Service) guestSettings(set settings.Settings, main identity.Identity, o *opened) (guest.Settings, error) {
	gs := guest.Settings{
		Root:       s.Root,
		Instance:   main.InstanceID,
		Every:      set.Every,
		Settled:    set.Settled,
		Modules:    set.ModesFor(main.OpenStack || main.Source == identity.Given{}.Name()),
		Only:       set.Only,
		IgnoreMACs: set.IgnoreMACs,
		Scripts: guest.ScriptSettings{
			Limit:    set.ScriptLimit,
			Rerun:    set.ScriptAgain,
			OldState: strings.TrimPrefix(set.OldState, "/"),
		},
		Domain:     set.Domain,
		KeyKind:    set.KeyKind,
		Loopback:   set.Loopback,
		NoLoopback: set.NoLoopback,
		Logger:     s.log(),
	}
	if set.Address == "none" {
		return gs, nil
	}
	choice, err := identity.ParseAddress(set.Address)
	if err != nil {
		return gs, fmt.Errorf("settings: %w", err)
	}
	gs.Address = func() (netip.Addr, error) { return choice.Of(context.Background(), *o.self.Load()) }
	return gs, nil
}
