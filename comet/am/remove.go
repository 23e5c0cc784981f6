package am

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Remove takes away a VM's own entries, whatever their family, as far as the unit's read token shows them, and returns how many it took away.
// It goes on after an error; the error joins what stayed.
func Remove(ctx context.Context, client *comet.Client, unit orca.Unit) (removed int, err error) {
	if err = complete(unit); err == nil {
		removed, err = remove(ctx, client, unit, unit.Tokens, scope.InstanceFamilies())
	}
	if err != nil {
		return removed, fmt.Errorf("remove VM %s: %w", label(unit), err)
	}
	return removed, nil
}

// RemoveFromSlice takes away a VM's place in the groups of its slice: its entries under the slice's read token and its own write token
// there, in whichever family they are. Entries of other VMs stay. For the rest see Remove.
func RemoveFromSlice(ctx context.Context, client *comet.Client, unit orca.Unit) (removed int, err error) {
	var families []scope.Family
	if err = placed(unit); err == nil {
		families, err = groupFamilies(unit.Slice)
	}
	if err == nil {
		removed, err = remove(ctx, client, unit, unit.Slice.Tokens, families)
	}
	if err != nil {
		return removed, fmt.Errorf("remove VM %s from its slice: %w", label(unit), err)
	}
	return removed, nil
}

func placed(unit orca.Unit) error {
	if unit.Slice.Tokens.Read.IsZero() || unit.Slice.Tokens.Write.IsZero() {
		return fmt.Errorf("%w: the slice's tokens (slice.comet.readToken, slice.comet.writeToken) are not both set", ErrIncomplete)
	}
	return identified(unit)
}

// groupFamilies are those in which the controller puts a VM, and in which a VM reports.
func groupFamilies(a orca.SliceAccess) (families []scope.Family, err error) {
	add := func(of func(string) (scope.Family, error), groups ...[]string) {
		all := slices.Concat(groups...)
		if len(all) == 0 {
			all = []string{scope.DefaultGroup}
		}
		for _, group := range all {
			f, bad := of(group)
			if err = errors.Join(err, bad); bad == nil && !slices.Contains(families, f) {
				families = append(families, f)
			}
		}
	}
	add(scope.HostsOf, a.HostsWrite, a.HostsRead)
	add(scope.PubKeysOf, a.PubKeysWrite, a.PubKeysRead)
	return families, err
}

// remove takes away what the read token shows under the VM's key, and then the expected families that it did not show: heads have been
// seen to say that nothing is there when there was.
func remove(ctx context.Context, client *comet.Client, unit orca.Unit, tokens scope.Tokens, expected []scope.Family) (removed int, err error) {
	entries, listing := client.List(ctx, unit.SliceID, scope.Family{}, tokens.Read)
	var shown, others []comet.Item
	item := func(f scope.Family) comet.Item {
		return comet.Item{Name: scope.Name{Context: unit.SliceID, Family: f, Key: unit.ReservationID}, Tokens: tokens}
	}
	for _, e := range entries {
		if e.Name.Key == unit.ReservationID {
			shown = append(shown, item(e.Name.Family))
		}
	}
	for _, f := range expected {
		if i := item(f); !slices.ContainsFunc(shown, func(s comet.Item) bool { return s.Name == i.Name }) {
			others = append(others, i)
		}
	}
	first, err := client.DeleteMany(ctx, shown, comet.Bulk{All: true})
	second, more := client.DeleteMany(ctx, others, comet.Bulk{All: true})
	return first + second, errors.Join(listing, err, more)
}
