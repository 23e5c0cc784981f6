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
// that is not known here, keep their very bytes. A user that is there gets the public keys that it has not, and keeps its sudo where e
// says nothing of it; a new one needs a key, and has sudo "no" then. An interface that is there keeps its hosteth and its VLAN tag where e
// says nothing of them. Add reports whether an element was replaced. What e is not to be is a *scope.FieldError; see scope.ValidateNew.
// Where the family is not there, which Publish puts down, the error is comet.ErrNotFound. Nothing is written then.
//
// Others may change the same family at the same moment: see comet.Client.Update. On heads without conditional changes one of these may
// still put its older state on top, and after Add has read its own back nobody looks. With settle such heads are asked once more
// after that time: a loss that is seen then is ErrLost; one that comes later is not seen.
func Add(ctx context.Context, client *comet.Client, unit orca.Unit, e scope.Element, settle time.Duration) (replaced bool, err error) {
	if err := checkAdded(e); err != nil {
		return false, err
	}
	family, _, err := Section(e.Kind())
	if err != nil {
		return false, err
	}
	first := true
	err = change(ctx, client, unit, family, settle, func(l *scope.List) error {
		was, err := put(l, e)
		if first { // a second run may find what the first one put there
			first, replaced = false, was
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("add to VM %s: %w", label(unit), elementError(family, e.ElementKey(), err))
	}
	return replaced, nil
}

// Delete takes the element that key finds out of one of the VM's five families, and reports whether it was there. Where it was not, and the
// key is none that an element could have, the error is a *scope.FieldError. For settle see Add.
func Delete(
	ctx context.Context, client *comet.Client, unit orca.Unit, family scope.Family, key string, settle time.Duration,
) (removed bool, err error) {
	if _, ok, err := Section(family.String()); !ok {
		return false, cmp.Or(err, errors.New("section "+SectionGlobal+" has no elements"))
	}
	if key == "" || orca.Unset(key) {
		return false, elementError(family, key, errors.New("the key is not set"))
	}
	e, member := named(family, key)
	err = change(ctx, client, unit, family, settle, func(l *scope.List) error {
		for take(l, e) { // twice, where an old program put it there twice
			removed = true
		}
		return nil
	})
	if !removed && (err == nil || errors.Is(err, comet.ErrNotFound)) {
		if field, ok := errors.AsType[*scope.FieldError](e.Validate()); ok && field.Field == member {
			err = field
		}
	}
	if err != nil {
		return false, fmt.Errorf("delete from VM %s: %w", label(unit), elementError(family, key, err))
	}
	return removed, nil
}

func change(
	ctx context.Context, client *comet.Client, unit orca.Unit, family scope.Family, settle time.Duration, edit func(*scope.List) error,
) error {
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
