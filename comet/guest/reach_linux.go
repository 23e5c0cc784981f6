package guest

import (
	"context"
	"errors"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
)

// settling is what a network gets to settle before the heads are taken to be cut off.
const settling = 15 * time.Second

// heads are what changes of the network must not cut the machine off from.
func (g *Guest) heads() network.Heads {
	if len(g.contexts) == 0 {
		return network.Heads{}
	}
	return network.Heads{Addresses: g.addresses.get, Reach: g.reach, Reached: g.reached}
}

// reached says what reach found last in this pass, so that heads that are away are waited for once.
func (g *Guest) reached(ctx context.Context) error {
	if !g.answer.known {
		return g.reach(ctx)
	}
	return g.answer.err
}

// reach asks heads until one answers, or the network has had its time to settle. A connection that was made before, or a name that was
// looked up, says nothing about the next one.
func (g *Guest) reach(ctx context.Context) error {
	for _, c := range g.contexts {
		c.Client().Reconnect()
	}
	err := g.await(ctx)
	g.answer = answer{ctx.Err() == nil, err}
	return err
}

func (g *Guest) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for {
		err := g.anyHead(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// anyHead asks a head of each context until one answers.
func (g *Guest) anyHead(ctx context.Context) error {
	var errs []error
	for _, c := range g.contexts {
		err := c.Ask(ctx)
		if err == nil || errors.Is(err, comet.ErrUnauthorized) || errors.Is(err, comet.ErrInvalid) { // it answered
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
