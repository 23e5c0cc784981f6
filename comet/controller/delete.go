package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Deleted counts what a Delete or a Withdraw removed, and what it did not find: that is gone, was never put down, or is not shown by
// these tokens.
type Deleted struct{ Removed, Absent int }

func (d Deleted) String() string {
	if d == (Deleted{}) {
		return "nothing is there, or the read token is wrong"
	}
	if d.Absent == 0 {
		return fmt.Sprintf("%d entries removed", d.Removed)
	}
	return fmt.Sprintf("%d entries removed; %d are not there, or the read token is wrong", d.Removed, d.Absent)
}

// Delete removes a slice: the entries of its VMs and of all others that have a write token, in its groups and whatever else the
// slice's read token shows for them, whatever the VMs have put into them. What is gone already counts as removed, so that it may be
// repeated. It goes on after an error; the error joins what could not be removed. What the read token shows of a VM without a write
// token stays, and is an error that matches comet.ErrNoWriteToken.
func (c *Controller) Delete(ctx context.Context, s orca.Slice, tokens Tokens) (Deleted, error) {
	deleted, left, err := c.take(ctx, s, tokens, func(key scope.Key) bool { return !tokens.Write[key].IsZero() })
	var errs []error
	for _, name := range left {
		errs = append(errs, fmt.Errorf("%s: %w", name, comet.ErrNoWriteToken))
	}
	if err = errors.Join(append(errs, err)...); err != nil {
		return deleted, fmt.Errorf("delete slice %s: %w", s.ID, err)
	}
	return deleted, nil
}

// Withdraw removes single VMs, or LUNs, of a slice that goes on, as Delete does. Their write tokens are kept, so that it may be
// repeated. They need not be in s any more. A VM that has no write token is an error, and then nothing is removed.
func (c *Controller) Withdraw(ctx context.Context, s orca.Slice, tokens Tokens, vms ...scope.Key) (Deleted, error) {
	for _, vm := range vms {
		if tokens.Write[vm].IsZero() {
			return Deleted{}, fmt.Errorf("withdraw from slice %s: VM %s: %w", s.ID, vm, comet.ErrNoWriteToken)
		}
	}
	s.VMs = nil // what they are called does not matter
	for _, vm := range vms {
		s.VMs = append(s.VMs, orca.VM{ReservationID: vm})
	}
	deleted, _, err := c.take(ctx, s, tokens, func(key scope.Key) bool { return slices.Contains(vms, key) })
	if err != nil {
		return deleted, fmt.Errorf("withdraw from slice %s: %w", s.ID, err)
	}
	return deleted, nil
}

// take removes the entries of those VMs that go. The place-holders are removed unseen: a list that lacks them may be one that a wrong
// token got, or a head that lags behind. left are the entries of VMs without a write token.
func (c *Controller) take(ctx context.Context, s orca.Slice, tokens Tokens, goes func(scope.Key) bool) (d Deleted, left []scope.Name, err error) {
	both := *c
	both.Hosts, both.PubKeys = true, true // what was put down under earlier settings goes as well
	s.VMs = slices.DeleteFunc(slices.Clone(s.VMs), func(vm orca.VM) bool { return !goes(vm.ReservationID) })
	all, err := both.placeHolders(s, tokens)
	if err != nil {
		return Deleted{}, nil, err
	}
	known := map[scope.Name]bool{}
	for _, p := range all {
		known[p.Name] = true
	}
	shown, listed := c.client.List(ctx, s.ID, scope.Family{}, tokens.Read)
	for _, e := range shown {
		switch pair := tokens.Of(e.Name.Key); {
		case pair.Write.IsZero():
			left = append(left, e.Name)
		case goes(e.Name.Key) && !known[e.Name]:
			all = append(all, comet.Item{Name: e.Name, Tokens: pair})
		}
	}
	removed, err := c.remove(ctx, all)
	if err = errors.Join(listed, err); err != nil {
		return Deleted{Removed: removed}, left, err
	}
	return Deleted{removed, len(all) - removed}, left, nil
}

func (c *Controller) remove(ctx context.Context, list []comet.Item) (removed int, err error) {
	bulk := c.Bulk
	bulk.All = true
	return c.client.DeleteMany(ctx, list, bulk)
}
