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
func (c *Controller) Create(ctx context.Context, s orca.Slice, tokens Tokens) error {
	all, err := c.placeHolders(s, tokens)
	if err != nil {
		return fmt.Errorf("create slice %s: %w", s.ID, err)
	}
	var made done
	err = comet.Each(ctx, all, c.Bulk, func(ctx context.Context, p placeHolder) error {
		err := c.client.Create(ctx, p.name, p.tokens, p.value)
		if errors.Is(err, comet.ErrConflict) {
			return nil
		}
		if err == nil || comet.MayHaveArrived(err) {
			made.add(p)
		}
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("create slice %s: %w", s.ID, err), c.undo(ctx, made.list))
	}
	return nil
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
