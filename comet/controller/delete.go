package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// Delete removes the entries of the slice's VMs in its groups, whatever the VMs have put into them. What is gone already counts as
// removed, so that it may be repeated. It goes on after an error; the error joins what could not be removed.
func (c *Controller) Delete(ctx context.Context, s orca.Slice, tokens Tokens) error {
	both := *c
	both.Hosts, both.PubKeys = true, true // what was put down under earlier settings goes as well
	s.VMs = slices.DeleteFunc(slices.Clone(s.VMs), func(vm orca.VM) bool {
		return tokens.Of(vm.ReservationID).Write.IsZero() // nothing was put down for it yet
	})
	all, err := both.placeHolders(s, tokens)
	if err == nil {
		err = c.remove(ctx, all)
	}
	if err != nil {
		return fmt.Errorf("delete slice %s: %w", s.ID, err)
	}
	return nil
}

func (c *Controller) remove(ctx context.Context, list []placeHolder) error {
	bulk := c.Bulk
	bulk.All = true
	return comet.Each(ctx, list, bulk, func(ctx context.Context, p placeHolder) error {
		err := c.client.Delete(ctx, p.name, p.tokens)
		if errors.Is(err, comet.ErrNotFound) {
			return nil
		}
		return p.failed(err)
	})
}
