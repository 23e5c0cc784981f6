package controller

import (
	"context"
	"fmt"
	"slices"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// Deleted counts what a Delete removed, and what it did not find: that is gone, was never put down, or is not shown by these tokens.
type Deleted struct{ Removed, Absent int }

func (d Deleted) String() string {
	if d.Absent == 0 {
		return fmt.Sprintf("%d entries removed", d.Removed)
	}
	return fmt.Sprintf("%d entries removed; %d are not there, or the read token is wrong", d.Removed, d.Absent)
}

// Delete removes the entries of the slice's VMs in its groups, whatever the VMs have put into them. What is gone already counts as
// removed, so that it may be repeated. It goes on after an error; the error joins what could not be removed.
func (c *Controller) Delete(ctx context.Context, s orca.Slice, tokens Tokens) (Deleted, error) {
	both := *c
	both.Hosts, both.PubKeys = true, true // what was put down under earlier settings goes as well
	s.VMs = slices.DeleteFunc(slices.Clone(s.VMs), func(vm orca.VM) bool {
		return tokens.Of(vm.ReservationID).Write.IsZero() // nothing was put down for it yet
	})
	all, err := both.placeHolders(s, tokens)
	if err != nil {
		return Deleted{}, fmt.Errorf("delete slice %s: %w", s.ID, err)
	}
	removed, err := c.remove(ctx, all)
	if err != nil {
		return Deleted{Removed: removed}, fmt.Errorf("delete slice %s: %w", s.ID, err)
	}
	return Deleted{removed, len(all) - removed}, nil
}

func (c *Controller) remove(ctx context.Context, list []comet.Item) (removed int, err error) {
	bulk := c.Bulk
	bulk.All = true
	return c.client.DeleteMany(ctx, list, bulk)
}
