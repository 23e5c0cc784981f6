package guest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// publishAddress keeps the VM's address true in its own entries. Who put the place-holder down has decided on the name in it.
func (g *Guest) publishAddress(ctx context.Context, from source) error {
	if !g.Address.IsValid() {
		return nil
	}
	address := g.Address.String()
	return g.inEach(ctx, from, g.self.Slice.HostsWrite, scope.HostsOf, func(l *scope.List) error {
		if l.Len() == 0 { // somebody has reset it
			scope.Put(l, scope.Host{HostName: g.hostName(), IP: address})
			return nil
		}
		i := g.ownHost(l)
		if i < 0 {
			return fmt.Errorf("the entry has no element for %s", g.hostName())
		}
		own, err := scope.ElementAt[scope.Host](l, i)
		if err != nil {
			return err
		}
		own.HostName, own.IP = scope.CanonicalHostName(own.HostName), address
		scope.Replace(l, i, own)
		return nil
	})
}

// ownHost finds the VM's own element: the only one, or that with its name.
func (g *Guest) ownHost(l *scope.List) int {
	if l.Len() == 1 {
		return 0
	}
	return scope.Find[scope.Host](l, g.hostName())
}

// publishKey keeps root's public SSH key true in the VM's own entries.
func (g *Guest) publishKey(ctx context.Context, from source) error {
	if len(g.self.Slice.PubKeysWrite) == 0 {
		return nil
	}
	key, err := g.ownKey()
	if err != nil {
		return err
	}
	return g.inEach(ctx, from, g.self.Slice.PubKeysWrite, scope.PubKeysOf, func(l *scope.List) error {
		if l.Len() == 0 {
			scope.Put(l, scope.PubKey{PublicKey: key})
			return nil
		}
		i := ownPubKey(l, key)
		own, err := scope.ElementAt[scope.PubKey](l, i)
		if err != nil || own.PublicKey == key {
			return err
		}
		own.PublicKey = key
		scope.Replace(l, i, own)
		return nil
	})
}

// ownPubKey finds the element for the VM's own key: the one that has it, else one that waits to be filled in, else the first, which
// has the key of before.
func ownPubKey(l *scope.List, key string) int {
	for _, k := range []string{strings.TrimSpace(key), ""} {
		if i := scope.Find[scope.PubKey](l, k); i >= 0 {
			return i
		}
	}
	return 0
}

// inEach edits the VM's own entry in the family of each group, where it is not known to be as it should.
func (g *Guest) inEach(ctx context.Context, from source, groups []string, familyOf func(string) (scope.Family, error), edit func(*scope.List) error) error {
	var errs []error
	for _, group := range groups {
		family, err := familyOf(group)
		if err == nil && !holds(from, g.name(family), edit) {
			err = g.client.Update(ctx, g.name(family), g.self.Slice.Tokens, edit)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("group %s: %w", group, err))
		}
	}
	return errors.Join(errs...)
}
