package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// Create puts down the place-holders of the slice's VMs. What stands already under the slice's read token is kept as it is, so that
// it may be repeated, and a VM that has filled in its entry is never blanked. When it fails, or ctx ends, it withdraws what it
// created itself; the error then also says what it could not withdraw.
func (c *Controller) Create(ctx context.Context, s orca.Slice, tokens Tokens) (Created, error) {
	all, err := c.placeHolders(s, tokens)
	if err != nil {
		return Created{}, fmt.Errorf("create slice %s: %w", s.ID, err)
	}
	var made done
	err = comet.Each(ctx, all, c.Bulk, func(ctx context.Context, p placeHolder) error {
		mine, err := c.put(ctx, p)
		if mine {
			made.add(p)
		}
		return p.failed(err)
	})
	if err != nil {
		return Created{}, errors.Join(fmt.Errorf("create slice %s: %w", s.ID, err), c.undo(ctx, made.list))
	}
	return Created{New: len(made.list), Kept: len(all) - len(made.list)}, nil
}

// Created counts the place-holders that a Create put down and those that stood already.
type Created struct{ New, Kept int }

func (c Created) String() string {
	return fmt.Sprintf("%d place-holders created, %d kept", c.New, c.Kept)
}

// put creates a place-holder where nothing stands, and reports whether what may stand there now is from here. It asks first: after
// an attempt that broke off, a place-holder that stood before could not be told from one of ours.
func (c *Controller) put(ctx context.Context, p placeHolder) (mine bool, err error) {
	if _, err := c.client.Read(ctx, p.name, p.tokens.Read); !errors.Is(err, comet.ErrNotFound) {
		return false, err
	}
	err = c.client.Create(ctx, p.name, p.tokens, p.value)
	if errors.Is(err, comet.ErrExists) {
		return false, nil // somebody else was quicker
	}
	return err == nil || comet.MayHaveArrived(err), err
}

// undoTime bounds the withdrawal of what a failed Create made, which goes on when the caller's own time is over.
const undoTime = 30 * time.Second

func (c *Controller) undo(ctx context.Context, made []placeHolder) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if err := c.remove(ctx, made); err != nil {
		return fmt.Errorf("withdraw what was created: %w", err)
	}
	return nil
}

// done collects what several goroutines did.
type done struct {
	mu   sync.Mutex
	list []placeHolder
}

func (d *done) add(p placeHolder) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, p)
}
