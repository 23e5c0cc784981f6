package am

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// ErrLost: a change was made, and somebody else has put down the state before it since. It can be made again.
var ErrLost = errors.New("was overwritten by somebody else; make it again")

// Add puts one element into a family of the VM: in place of the element with its key, or behind the last. All others, and everything
// that is not known here, keep their very bytes. To a user that is there, sudo is set and the public keys that it has not are added; an
// interface that is there keeps its hosteth and its VLAN tag where e says nothing of them. It reports whether an element was replaced. Where the
// family is not there, which Publish puts down, the error is comet.ErrNotFound and nothing is written.
//
// Others may change the same family at the same moment: see comet.Client.Update. On heads without conditional changes one of these may
// still put its older state on top, and after Add has read its own back nobody looks. With settle such heads are asked once more
// after that time: a loss that is seen then is ErrLost; one that comes later is not seen.
func Add(ctx context.Context, client *comet.Client, unit orca.Unit, e scope.Element, settle time.Duration) (replaced bool, err error) {
	if err := check(e); err != nil {
		return false, err
	}
	family, _, err := Section(e.Kind())
	if err != nil {
		return false, err
	}
	first := true
	err = change(ctx, client, unit, family, settle, func(l *scope.List) error {
		was := put(l, e)
		if first { // a second run may find what the first one put there
			first, replaced = false, was
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("add to VM %s: %w", unit.HostName, elementError(family, e.ElementKey(), err))
	}
	return replaced, nil
}

// Delete takes the element that key finds out of one of the VM's five families, and reports whether it was there. For settle see Add.
func Delete(ctx context.Context, client *comet.Client, unit orca.Unit, family scope.Family, key string, settle time.Duration) (removed bool, err error) {
	if _, ok, err := Section(family.String()); !ok {
		return false, cmp.Or(err, errors.New("section "+SectionGlobal+" has no elements"))
	}
	if key == "" || orca.Unset(key) {
		return false, elementError(family, key, errors.New("the key is not set"))
	}
	err = change(ctx, client, unit, family, settle, func(l *scope.List) error {
		for take(l, family, key) { // twice, where an old program put it there twice
			removed = true
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("delete from VM %s: %w", unit.HostName, elementError(family, key, err))
	}
	return removed, nil
}

func change(ctx context.Context, client *comet.Client, unit orca.Unit, family scope.Family, settle time.Duration, edit func(*scope.List) error) error {
	if err := complete(unit); err != nil {
		return err
	}
	name := scope.Name{Context: unit.SliceID, Family: family, Key: unit.ReservationID}
	if err := update(ctx, client, name, unit.Tokens, edit); err != nil || settle <= 0 {
		return err
	}
	if about, err := client.Version(ctx); err == nil && about.Offers("etag/1") {
		return nil // nobody can have overwritten it unseen
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	return stands(ctx, client, name, unit.Tokens.Read, edit)
}

// updates is how often Update, which tries several times by itself, may end with others having been faster every time. One who changes the
// same entry on and on wins now and then so often.
const updates = 8

// update is Update with more patience.
func update(ctx context.Context, client *comet.Client, name scope.Name, tokens scope.Tokens, edit func(*scope.List) error) (err error) {
	for range updates {
		err = client.Update(ctx, name, tokens, edit)
		if _, noList := errors.AsType[*scope.DecodeError](err); noList || !errors.Is(err, comet.ErrConflict) {
			return err
		}
	}
	return err
}

// stands is ErrLost unless the change is there: to make it once more would change nothing.
func stands(ctx context.Context, client *comet.Client, name scope.Name, read scope.Token, edit func(*scope.List) error) error {
	entry, err := client.Read(ctx, name, read)
	if err != nil {
		return err
	}
	list, err := scope.ParseList(entry.Value)
	if err != nil {
		return err
	}
	if err := edit(list); err != nil {
		return err
	}
	if !bytes.Equal(list.Bytes(), entry.Value) {
		return ErrLost
	}
	return nil
}

// put puts an element into the list of its family.
func put(l *scope.List, e scope.Element) (replaced bool) {
	switch e := e.(type) {
	case scope.User:
		return putUser(l, e)
	case scope.Interface:
		return putInterface(l, e)
	case scope.Storage:
		return scope.Put(l, e)
	case scope.Route:
		return scope.Put(l, e)
	case scope.Script:
		return scope.Put(l, e)
	}
	panic("am: no section has elements of the kind " + e.Kind())
}

// putUser keeps the keys of a user who is there, and the spelling of the login.
func putUser(l *scope.List, u scope.User) (replaced bool) {
	i := scope.Find[scope.User](l, u.ElementKey())
	if i < 0 {
		return scope.Put(l, u)
	}
	merged, _ := scope.ElementAt[scope.User](l, i) // Find has read it
	known := map[string]bool{}
	for _, key := range merged.PublicKeys() {
		known[key] = true
	}
	var further []string
	for _, key := range u.PublicKeys() {
		if !known[key] {
			known[key] = true
			further = append(further, key)
		}
	}
	merged.Sudo = u.Sudo
	if len(further) > 0 {
		merged.Keys = append(merged.Keys, scope.JoinKeys(further))
	}
	scope.Replace(l, i, merged)
	return true
}

// putInterface keeps what only the host that the VM runs on knows of an interface.
func putInterface(l *scope.List, n scope.Interface) (replaced bool) {
	if i := scope.Find[scope.Interface](l, n.ElementKey()); i >= 0 {
		old, _ := scope.ElementAt[scope.Interface](l, i)
		n.HostEth, n.VLANTag = cmp.Or(n.HostEth, old.HostEth), cmp.Or(n.VLANTag, old.VLANTag)
	}
	return scope.Put(l, n)
}

// take takes the element of that key out of the list of its family. The key may be spelled as handlers do.
func take(l *scope.List, family scope.Family, key string) (removed bool) {
	switch family {
	case scope.FamilyUsers:
		return scope.Remove[scope.User](l, scope.User{Login: key}.ElementKey())
	case scope.FamilyInterfaces:
		return scope.Remove[scope.Interface](l, scope.CanonicalMAC(key))
	case scope.FamilyStorage:
		return scope.Remove[scope.Storage](l, key)
	case scope.FamilyRoutes:
		return scope.Remove[scope.Route](l, key)
	case scope.FamilyScripts:
		return scope.Remove[scope.Script](l, key)
	}
	panic("am: no section is called " + family.String())
}
