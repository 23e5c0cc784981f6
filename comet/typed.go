package comet

import (
	"context"
	"errors"
	"fmt"

	"github.com/renci-nrig/comet-go/scope"
)

// Users returns the users of one VM. Like its siblings it reads one of the VM's own families: where nothing is there, or the read
// token is not the VM's, the error is ErrNotFound; a value that is not what the family holds is a *scope.DecodeError.
func (c *Client) Users(ctx context.Context, id scope.ContextID, vm scope.Key, read scope.Token) ([]scope.User, error) {
	return elements[scope.User](ctx, c, scope.Name{Context: id, Family: scope.FamilyUsers, Key: vm}, read)
}

// Interfaces returns the network interfaces of one VM; see Users.
func (c *Client) Interfaces(ctx context.Context, id scope.ContextID, vm scope.Key, read scope.Token) ([]scope.Interface, error) {
	return elements[scope.Interface](ctx, c, scope.Name{Context: id, Family: scope.FamilyInterfaces, Key: vm}, read)
}

// Storage returns the network disks of one VM; see Users.
func (c *Client) Storage(ctx context.Context, id scope.ContextID, vm scope.Key, read scope.Token) ([]scope.Storage, error) {
	return elements[scope.Storage](ctx, c, scope.Name{Context: id, Family: scope.FamilyStorage, Key: vm}, read)
}

// Routes returns the routes of one VM; see Users.
func (c *Client) Routes(ctx context.Context, id scope.ContextID, vm scope.Key, read scope.Token) ([]scope.Route, error) {
	return elements[scope.Route](ctx, c, scope.Name{Context: id, Family: scope.FamilyRoutes, Key: vm}, read)
}

// Scripts returns the scripts of one VM; see Users.
func (c *Client) Scripts(ctx context.Context, id scope.ContextID, vm scope.Key, read scope.Token) ([]scope.Script, error) {
	return elements[scope.Script](ctx, c, scope.Name{Context: id, Family: scope.FamilyScripts, Key: vm}, read)
}

// Hosts returns what every VM of a group has put down of its name and address, by the VM's key. No VM at all is an empty map and no
// error: heads give the same for a wrong token. A VM whose value is not what the family holds is left out, and the error joins a
// *scope.DecodeError for each such VM, beside the map of all others.
func (c *Client) Hosts(ctx context.Context, id scope.ContextID, group string, read scope.Token) (map[scope.Key][]scope.Host, error) {
	family, err := scope.HostsOf(group)
	return byVM[scope.Host](ctx, c, id, family, err, read)
}

// PubKeys returns the public SSH keys of every VM of a group, by the VM's key; see Hosts.
func (c *Client) PubKeys(ctx context.Context, id scope.ContextID, group string, read scope.Token) (map[scope.Key][]scope.PubKey, error) {
	family, err := scope.PubKeysOf(group)
	return byVM[scope.PubKey](ctx, c, id, family, err, read)
}

func elements[E scope.Element](ctx context.Context, c *Client, name scope.Name, read scope.Token) ([]E, error) {
	entry, err := c.Read(ctx, name, read)
	if err != nil {
		return nil, err
	}
	list, err := scope.Decode[E](entry.Value)
	if err != nil {
		return nil, fmt.Errorf("comet: %s %s: %w", opRead, name, err)
	}
	return list, nil
}

func byVM[E scope.Element](ctx context.Context, c *Client, id scope.ContextID, family scope.Family, err error, read scope.Token) (map[scope.Key][]E, error) {
	if err != nil {
		return nil, invalid(opList, err)
	}
	entries, err := c.List(ctx, id, family, read)
	if err != nil {
		return nil, err
	}
	all := make(map[scope.Key][]E, len(entries))
	var bad []error
	for _, e := range entries {
		list, err := scope.Decode[E](e.Value)
		if err != nil {
			bad = append(bad, fmt.Errorf("comet: %s %s: %w", opList, e.Name, err))
			continue
		}
		all[e.Name.Key] = list
	}
	return all, errors.Join(bad...)
}

// Put puts one element into an entry, in place of the element with its key or behind the last, and keeps all else; see
// Client.Update for how.
func Put[E scope.Element](ctx context.Context, c *Client, name scope.Name, tokens scope.Tokens, e E) error {
	return c.Update(ctx, name, tokens, func(l *scope.List) error {
		scope.Put(l, e)
		return nil
	})
}

// Remove takes the element with a key out of an entry and keeps all else; that it was not there is no error. See Client.Update for
// how, and the elements' ElementKey for what finds them.
func Remove[E scope.Element](ctx context.Context, c *Client, name scope.Name, tokens scope.Tokens, key string) error {
	return c.Update(ctx, name, tokens, func(l *scope.List) error {
		scope.Remove[E](l, key)
		return nil
	})
}
