package guest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Settings say where and how a guest works.
type Settings struct {
	Root    string        // the folder below which all files lie; "/" where it is empty
	Address netip.Addr    // what is published as the VM's own address; nothing where it is zero
	Every   time.Duration // how often Run looks at the machine itself, and at heads that do not tell what changes; 10 s where it is zero
	Logger  *slog.Logger  // slog.Default() where it is nil
}

const defaultEvery = 10 * time.Second

// Guest keeps one VM in touch with its slice. One goroutine at a time may use it.
type Guest struct {
	Settings
	client *comet.Client
	self   orca.UserData
	root   *os.Root
	log    *slog.Logger
}

// New returns the guest of the VM that the user data describes. The client stays the caller's to close. The user data must name
// the slice, the reservation and the slice's read token; without the slice's write token nothing is published.
func New(client *comet.Client, self orca.UserData, s Settings) (*Guest, error) {
	switch {
	case self.SliceID.IsZero():
		return nil, errors.New("user data: slice_id is not set")
	case self.ReservationID.IsZero():
		return nil, errors.New("user data: reservation_id is not set")
	case self.Slice.Tokens.Read.IsZero():
		return nil, errors.New("user data: slicecometreadtoken is not set")
	}
	if s.Every <= 0 {
		s.Every = defaultEvery
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	root, err := openRoot(s.Root)
	if err != nil {
		return nil, err
	}
	if self.Slice.Tokens.Write.IsZero() { // it may read what it cannot write
		self.Slice.HostsWrite, self.Slice.PubKeysWrite = nil, nil
	}
	return &Guest{Settings: s, client: client, self: self, root: root, log: s.Logger}, nil
}

// openRoot opens the root folder, / where none is named.
func openRoot(path string) (*os.Root, error) {
	root, err := os.OpenRoot(cmp.Or(path, "/"))
	if err != nil {
		return nil, fmt.Errorf("root folder: %w", err)
	}
	return root, nil
}

// Close gives the root folder back.
func (g *Guest) Close() error { return g.root.Close() }

// Report is what one pass found and did.
type Report struct {
	Hosts   []scope.Host // the other VMs whose address is known, sorted by name
	Keys    int          // public keys of other VMs
	Changed []string     // files that were written, below the root
}

// Once makes one pass: publish, learn, and write what differs. One part that fails stops no other; the error joins what failed.
func (g *Guest) Once(ctx context.Context) (Report, error) {
	return g.pass(ctx, asking{g.client, g.self.SliceID, g.self.Slice.Tokens.Read})
}

func (g *Guest) pass(ctx context.Context, from source) (Report, error) {
	var r Report
	err := errors.Join(
		wrap("publish the address", g.publishAddress(ctx, from)),
		wrap("publish the SSH key", g.publishKey(ctx, from)),
		wrap("learn the hosts", g.learnHosts(ctx, from, &r)),
		wrap("learn the SSH keys", g.learnKeys(ctx, from, &r)),
	)
	return r, err
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// name is the name of the VM's own entry in a family.
func (g *Guest) name(family scope.Family) scope.Name {
	return scope.Name{Context: g.self.SliceID, Family: family, Key: g.self.ReservationID}
}

func (g *Guest) hostName() string { return scope.CanonicalHostName(g.self.HostName) }
