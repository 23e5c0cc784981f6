package controller

import (
	"errors"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Settings say what a controller puts down.
type Settings struct {
	Hosts   bool // place-holders for host names and addresses: orca.comet.hosts.enabled
	PubKeys bool // place-holders for public SSH keys: orca.comet.pubkeys.enabled
	Bulk    comet.Bulk

	// Withdrawing is told, as Bulk.Progress is, how much of what a failed Create made is taken back; may be nil.
	Withdrawing func(done, total int)
}

// FromConfig returns the settings of a controller's properties file.
func FromConfig(c orca.Config) Settings {
	return Settings{Hosts: c.HostsEnabled, PubKeys: c.PubKeysEnabled}
}

// Controller creates and removes the contexts of slices. Safe for concurrent use.
type Controller struct {
	client *comet.Client
	Settings
}

// New returns a controller that speaks through the client, which stays the caller's to close.
func New(client *comet.Client, s Settings) *Controller {
	return &Controller{client: client, Settings: s}
}

// placeHolders returns the entries that the slice's VMs will fill in, VM by VM.
func (c *Controller) placeHolders(s orca.Slice, tokens Tokens) (all []comet.Item, err error) {
	for _, vm := range s.VMs {
		if !vm.NeedsContext() {
			continue
		}
		of, err := c.ofVM(s, vm, tokens.Of(vm.ReservationID))
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	return all, nil
}

func (c *Controller) ofVM(s orca.Slice, vm orca.VM, pair scope.Tokens) ([]comet.Item, error) {
	var all []comet.Item
	add := func(family scope.Family, err error, value []byte) error {
		name := scope.Name{Context: s.ID, Family: family, Key: vm.ReservationID}
		all = append(all, comet.Item{Name: name, Tokens: pair, Value: value})
		return err
	}
	var errs []error
	for _, group := range s.Groups {
		if c.PubKeys {
			family, err := scope.PubKeysOf(group)
			errs = append(errs, add(family, err, scope.Encode(scope.PubKey{})))
		}
		if c.Hosts {
			family, err := scope.HostsOf(group)
			errs = append(errs, add(family, err, scope.Encode(scope.Host{HostName: scope.CanonicalHostName(vm.HostName)})))
		}
	}
	return all, errors.Join(errs...)
}

// Access returns a VM's part in its slice, as it is recorded in the VM's properties and told to the VM in its user data. What has no
// place-holders has no part, and gets no token.
func (c *Controller) Access(s orca.Slice, tokens Tokens, vm orca.VM) orca.SliceAccess {
	if !vm.NeedsContext() || !c.Hosts && !c.PubKeys {
		return orca.SliceAccess{}
	}
	a := orca.SliceAccess{Tokens: tokens.Of(vm.ReservationID)}
	if c.Hosts {
		a.HostsRead, a.HostsWrite = s.Groups, s.Groups
	}
	if c.PubKeys {
		a.PubKeysRead, a.PubKeysWrite = s.Groups, s.Groups
	}
	return a
}
