package am

import (
	"context"
	"errors"
	"fmt"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Publish puts down a VM's five families under the VM's own tokens, one after the other in the order of scope.InstanceFamilies: a
// VM that reads in between finds everything that its scripts need before it finds them. It may be repeated. unit must have a
// slice ID, a reservation ID and both tokens.
func Publish(ctx context.Context, client *comet.Client, unit orca.Unit, families Families) error {
	if err := complete(unit); err != nil {
		return fmt.Errorf("publish VM %s: %w", unit.HostName, err)
	}
	for family, value := range families.Values() {
		name := scope.Name{Context: unit.SliceID, Family: family, Key: unit.ReservationID}
		if _, err := client.Write(ctx, name, unit.Tokens, value); err != nil {
			return fmt.Errorf("publish VM %s, %s: %w", unit.HostName, family, err)
		}
	}
	return nil
}

// Remove takes away a VM's five families, as far as they are there. It goes on after an error; the error joins what stayed.
func Remove(ctx context.Context, client *comet.Client, unit orca.Unit) error {
	if err := complete(unit); err != nil {
		return fmt.Errorf("remove VM %s: %w", unit.HostName, err)
	}
	err := comet.Each(ctx, scope.InstanceFamilies(), comet.Bulk{All: true}, func(ctx context.Context, family scope.Family) error {
		name := scope.Name{Context: unit.SliceID, Family: family, Key: unit.ReservationID}
		err := client.Delete(ctx, name, unit.Tokens)
		if err == nil || errors.Is(err, comet.ErrNotFound) {
			return nil
		}
		return fmt.Errorf("%s: %w", family, err)
	})
	if err != nil {
		return fmt.Errorf("remove VM %s: %w", unit.HostName, err)
	}
	return nil
}

// ErrIncomplete: the unit's properties lack something without which nothing can be put down or found.
var ErrIncomplete = errors.New("unit properties are incomplete")

func complete(unit orca.Unit) error {
	switch {
	case unit.SliceID.IsZero():
		return fmt.Errorf("%w: unit.sliceid is not set", ErrIncomplete)
	case unit.ReservationID.IsZero():
		return fmt.Errorf("%w: unit.rid is not set", ErrIncomplete)
	case unit.Tokens.Read.IsZero() || unit.Tokens.Write.IsZero():
		return fmt.Errorf("%w: the VM has no tokens of its own (%s, %s)", ErrIncomplete, orca.PropertyReadToken, orca.PropertyWriteToken)
	}
	return nil
}
