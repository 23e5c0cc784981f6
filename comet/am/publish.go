package am

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Publish puts down a VM's five families under the VM's own tokens: all at once where heads offer it, else one after the other in
// the order of scope.InstanceFamilies, so that a VM that reads in between finds everything that its scripts need before it finds
// them. It may be repeated. unit must have a slice ID, a reservation ID and both tokens.
func Publish(ctx context.Context, client *comet.Client, unit orca.Unit, families Families) error {
	err := complete(unit)
	if err == nil {
		err = publish(ctx, client, items(unit, families.Values()))
	}
	if err != nil {
		return fmt.Errorf("publish VM %s: %w", label(unit), err)
	}
	return nil
}

// label is what errors call a VM.
func label(unit orca.Unit) string {
	return cmp.Or(unit.HostName, unit.ReservationID.String(), "without a name")
}

func publish(ctx context.Context, client *comet.Client, items []comet.Item) error {
	if err := client.WriteTogether(ctx, items); !errors.Is(err, comet.ErrNotOffered) {
		return err
	}
	return client.WriteMany(ctx, items, comet.Bulk{Parallel: 1})
}

// items are the VM's entries with these values, in their order.
func items(unit orca.Unit, values iter.Seq2[scope.Family, []byte]) (list []comet.Item) {
	for family, value := range values {
		name := scope.Name{Context: unit.SliceID, Family: family, Key: unit.ReservationID}
		list = append(list, comet.Item{Name: name, Tokens: unit.Tokens, Value: value})
	}
	return list
}

// ErrIncomplete: the unit's properties lack something without which nothing can be put down or found.
var ErrIncomplete = errors.New("unit properties are incomplete")

func complete(unit orca.Unit) error {
	if err := identified(unit); err != nil {
		return err
	}
	if unit.Tokens.Read.IsZero() || unit.Tokens.Write.IsZero() {
		return fmt.Errorf("%w: the VM has no tokens of its own (%s, %s)", ErrIncomplete, orca.PropertyReadToken, orca.PropertyWriteToken)
	}
	return nil
}

func identified(unit orca.Unit) error {
	switch {
	case unit.SliceID.IsZero():
		return fmt.Errorf("%w: unit.sliceid is not set", ErrIncomplete)
	case unit.ReservationID.IsZero():
		return fmt.Errorf("%w: unit.rid is not set", ErrIncomplete)
	}
	return nil
}
