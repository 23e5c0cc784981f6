package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Create puts down the place-holders of the slice's VMs. What stands already under the slice's read token is kept as it is, so that
// it may be repeated, and a VM that has filled in its entry is never blanked. When it fails, or ctx ends, it withdraws what it
// created itself; the error then also says what it could not withdraw.
func (c *Controller) Create(ctx context.Context, s orca.Slice, tokens Tokens) (Created, error) {
	all, err := c.placeHolders(s, tokens)
	if err != nil {
		return Created{}, fmt.Errorf("create slice %s: %w", s.ID, err)
	}
	missing, err := c.missing(ctx, all)
	if err != nil {
		return Created{}, fmt.Errorf("create slice %s: %w", s.ID, err)
	}
	made, err := c.client.CreateMany(ctx, missing, c.Bulk)
	if err != nil {
		return Created{}, errors.Join(fmt.Errorf("create slice %s: %w", s.ID, err), c.undo(ctx, made))
	}
	return Created{New: len(made), Kept: len(all) - len(made)}, nil
}

// Created counts the place-holders that a Create put down and those that stood already.
type Created struct{ New, Kept int }

func (c Created) String() string {
	return fmt.Sprintf("%d place-holders created, %d kept", c.New, c.Kept)
}

// missing returns the place-holders that do not stand yet. It asks before anything is created: after an attempt that broke off, a
// place-holder that stood before could not be told from one of ours.
func (c *Controller) missing(ctx context.Context, all []comet.Item) ([]comet.Item, error) {
	type part struct {
		family scope.Family
		read   scope.Token
	}
	stands := map[scope.Name]bool{}
	asked := map[part]bool{}
	for _, p := range all {
		of := part{p.Name.Family, p.Tokens.Read}
		if asked[of] {
			continue
		}
		asked[of] = true
		entries, err := c.client.List(ctx, p.Name.Context, of.family, of.read)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			stands[e.Name] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(p comet.Item) bool { return stands[p.Name] }), nil
}

// undoTime bounds the withdrawal of what a failed Create made, which goes on when the caller's own time is over.
const undoTime = 30 * time.Second

func (c *Controller) undo(ctx context.Context, made []comet.Item) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if _, err := c.remove(ctx, made); err != nil {
		return fmt.Errorf("withdraw what was created: %w", err)
	}
	return nil
}
