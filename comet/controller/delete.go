package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Deleted counts what a Delete or a Withdraw removed, and what it did not find: that is gone, was never put down, or is not shown by
// these tokens.
type Deleted struct{ Removed, Absent int }

func (d Deleted) String() string {
	switch {
	case d.Removed == 0:
		return "nothing is there, or the read token is wrong"
	case d.Absent == 0:
		return count(d.Removed, "entry", "entries") + " removed"
	}
	return fmt.Sprintf("%s removed; %d not found", count(d.Removed, "entry", "entries"), d.Absent)
}

// Delete removes a slice whose tokens are kept at path: the entries of all VMs that have a write token there, in the groups that they
// were put down in and whatever else the slice's read token shows for them, whatever the VMs have put into them. What is gone already
// counts as removed, so that it may be repeated. It goes on after an error; the error joins what could not be removed. What the read
// token shows of a VM without a write token stays, and is an error that matches comet.ErrNoWriteToken. The file stays.
func (c *Controller) Delete(ctx context.Context, path string) (deleted Deleted, err error) {
	err = locked(ctx, path, func() error {
		tokens, err := LoadTokens(path)
		if err != nil {
			return err
		}
		goes := func(key scope.Key) bool { return !tokens.Write[key].IsZero() }
		gone := map[scope.Key]bool{}
		for _, vm := range tokens.Withdrawn {
			gone[vm.ReservationID] = true
		}
		unseen := func(key scope.Key) bool { return goes(key) && !gone[key] }
		var left []scope.Name
		deleted, left, err = c.take(ctx, path, tokens, goes, unseen)
		var errs []error
		for _, name := range left {
			errs = append(errs, fmt.Errorf("%s: %w", name, comet.ErrNoWriteToken))
		}
		if err = errors.Join(append(errs, err)...); err != nil {
			return fmt.Errorf("delete slice %s: %w", tokens.SliceID, err)
		}
		return nil
	})
	return deleted, err
}

// Withdraw removes single VMs, or LUNs, of a slice that goes on, as Delete does. Their write tokens are kept, so that it may be
// repeated. A VM that has no write token is an error, and then nothing is removed.
func (c *Controller) Withdraw(ctx context.Context, path string, vms ...scope.Key) (deleted Deleted, err error) {
	err = locked(ctx, path, func() error {
		tokens, err := LoadTokens(path)
		if err != nil {
			return err
		}
		for _, vm := range vms {
			if tokens.Write[vm].IsZero() {
				return fmt.Errorf("withdraw from slice %s: VM %s: %w", tokens.SliceID, vm, comet.ErrNoWriteToken)
			}
		}
		goes := func(key scope.Key) bool { return slices.Contains(vms, key) }
		deleted, _, err = c.take(ctx, path, tokens, goes, goes)
		if err != nil {
			return fmt.Errorf("withdraw from slice %s: %w", tokens.SliceID, err)
		}
		return nil
	})
	return deleted, err
}

// take removes what is shown of the VMs that go, and of those that are to go unseen the place-holders in any case. left are the entries
// of VMs without a write token.
func (c *Controller) take(ctx context.Context, path string, tokens Tokens, goes, unseen func(scope.Key) bool) (d Deleted, left []scope.Name, err error) {
	there, listed := c.list(ctx, tokens)
	if errors.Is(listed, comet.ErrUnavailable) {
		return Deleted{}, nil, listed // each entry would take its time to say the same
	}
	var all []comet.Item
	known := map[scope.Name]bool{}
	for _, e := range there {
		switch pair := tokens.Of(e.Name.Key); {
		case pair.Write.IsZero():
			left = append(left, e.Name)
		case goes(e.Name.Key):
			all = append(all, comet.Item{Name: e.Name, Tokens: pair})
			known[e.Name] = true
		}
	}
	further, err := c.unseen(tokens, unseen, known)
	if err != nil {
		return Deleted{}, nil, err
	}
	all = append(all, further...) // behind the others, since heads refuse a batch for one that is not there
	removed, err := c.client.DeleteMany(ctx, all, comet.Bulk{Parallel: c.Bulk.Parallel, Progress: c.Bulk.Progress, All: true})
	if err = errors.Join(listed, err); err != nil {
		return Deleted{Removed: removed}, left, err
	}
	if tokens.withdraw(goes) {
		err = tokens.save(path)
	}
	return Deleted{removed, len(all) - removed}, left, err
}

// unseen returns the place-holders that a list did not show. They are removed all the same: the list may be one that a wrong token got,
// or a head that lags behind.
func (c *Controller) unseen(tokens Tokens, goes func(scope.Key) bool, known map[scope.Name]bool) (all []comet.Item, err error) {
	both := *c
	both.Hosts, both.PubKeys = true, true // what was put down under earlier settings goes as well
	s := orca.Slice{ID: tokens.SliceID, Groups: tokens.Groups}
	for key := range tokens.Write {
		if goes(key) {
			s.VMs = append(s.VMs, orca.VM{ReservationID: key})
		}
	}
	slices.SortFunc(s.VMs, func(a, b orca.VM) int { return strings.Compare(a.ReservationID.String(), b.ReservationID.String()) })
	all, err = both.placeHolders(s, tokens)
	return slices.DeleteFunc(all, func(p comet.Item) bool { return known[p.Name] }), err
}
