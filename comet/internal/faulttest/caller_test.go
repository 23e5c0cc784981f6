package faulttest_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/internal/history"
	"github.com/renci-nrig/comet-go/scope"
)

// caller uses a client as everybody does, which goes on to other heads where one gives no answer.
type caller struct {
	id       int
	board    *board
	client   *comet.Client
	attempts *attempts
	random   *rand.Rand
}

const callTime = 2 * time.Second

func (c *caller) play() {
	g := c.board.pick(c.random)
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	key := c.random.IntN(history.Keys)
	[]func(context.Context, *group, int) error{
		c.read, c.list, c.list, c.write, c.create, c.create, c.update, c.update, c.update, c.remove, c.together,
	}[c.random.IntN(11)](ctx, g, key)
}

func (c *caller) read(ctx context.Context, g *group, key int) error {
	called := time.Now()
	e, err := c.client.Read(ctx, g.names[key], g.tokens.Read)
	var seen history.Seen
	switch {
	case err == nil:
		seen.Value = decode(e.Value)
	case !errors.Is(err, comet.ErrNotFound):
		return err
	}
	c.board.add(c.id, g, history.Input{Keys: []int{key}}, history.Output{Seen: []history.Seen{seen}}, called, time.Now())
	return nil
}

func (c *caller) list(ctx context.Context, g *group, _ int) error {
	called := time.Now()
	entries, err := c.client.List(ctx, g.names[0].Context, g.names[0].Family, g.tokens.Read)
	if err != nil {
		return err
	}
	there := map[scope.Name]string{}
	for _, e := range entries {
		there[e.Name] = decode(e.Value)
	}
	in, out := g.snapshot(there)
	c.board.add(c.id, g, in, out, called, time.Now())
	return nil
}

func (c *caller) write(ctx context.Context, g *group, key int) error {
	change := []history.Change{{Key: key, Value: c.board.value()}}
	outcome, err := c.client.Write(c.attempts.begin(ctx, change), g.names[key], g.tokens, encode(change[0].Value))
	var seen []history.Seen
	if created := outcome == comet.Created; outcome != comet.Written {
		seen = []history.Seen{{Created: &created}}
	}
	c.settle(g, history.Output{Seen: seen}, err)
	return err
}

func (c *caller) together(ctx context.Context, g *group, _ int) error {
	var change []history.Change
	var items []comet.Item
	for _, k := range c.random.Perm(history.Keys)[:2+c.random.IntN(history.Keys-1)] {
		value := c.board.value()
		change = append(change, history.Change{Key: k, Value: value})
		items = append(items, comet.Item{Name: g.names[k], Tokens: g.tokens, Value: encode(value)})
	}
	err := c.client.WriteTogether(c.attempts.begin(ctx, change), items)
	c.settle(g, history.Output{}, err)
	return err
}

func (c *caller) create(ctx context.Context, g *group, key int) error {
	change := []history.Change{{Key: key, Value: c.board.value(), IfAbsent: true}}
	err := c.client.Create(c.attempts.begin(ctx, change), g.names[key], g.tokens, encode(change[0].Value))
	if errors.Is(err, comet.ErrExists) {
		c.settle(g, history.Output{Outcome: history.Differs}, nil)
	} else {
		c.settle(g, history.Output{}, err)
	}
	return err
}

func (c *caller) remove(ctx context.Context, g *group, key int) error {
	err := c.client.Delete(c.attempts.begin(ctx, []history.Change{{Key: key}}), g.names[key], g.tokens)
	switch tried := c.attempts.end(); {
	case errors.Is(err, comet.ErrNotFound):
		c.settle(g, history.Output{Outcome: history.NotThere}, nil)
	case err == nil && (len(tried) > 1 || tried[0].arrived > 1): // an attempt before may have done it, or somebody else
		c.settle(g, history.Output{Outcome: history.Gone}, nil)
	default:
		c.settle(g, history.Output{}, err)
	}
	return err
}

// settle notes a call that made its attempts with one and the same change. What came of it came of it within the call; as often as a
// request may have arrived besides, the change may be made, then or later.
func (c *caller) settle(g *group, out history.Output, err error) {
	tried := c.attempts.end()
	if len(tried) == 0 {
		return
	}
	first, last := tried[0], tried[len(tried)-1]
	if err == nil {
		if len(tried) > 1 && out.Outcome == history.Done && out.Seen != nil {
			out.Seen = nil // it may tell of the second time
		}
		c.board.add(c.id, g, history.Input{Changes: first.change}, out, first.began, time.Now())
		tried[len(tried)-1].arrived-- // that was one of them
	} else if last.settled && last.refuse {
		tried[len(tried)-1].arrived--
	}
	for _, a := range tried {
		c.unknown(g, a)
	}
}

// unknown notes an attempt as often as it may have arrived.
func (c *caller) unknown(g *group, a attempt) {
	for range a.arrived {
		c.board.add(c.id, g, history.Input{Changes: a.change}, history.Output{Outcome: history.Unknown}, a.began, a.ended)
	}
}

// update edits what it reads; each round is a reading, and a change on the condition that the entry still is as it was read.
func (c *caller) update(ctx context.Context, g *group, key int) error {
	value := c.board.value()
	round := time.Now()
	err := c.client.Update(c.attempts.begin(ctx, nil), g.names[key], g.tokens, func(l *scope.List) error {
		found := decode(l.Bytes())
		c.board.add(c.id, g, history.Input{Keys: []int{key}}, history.Output{Seen: []history.Seen{{Value: found}}}, round, time.Now())
		c.attempts.now([]history.Change{{Key: key, Value: value, IfValue: found}})
		round = time.Now()
		if found != value {
			scope.Remove[scope.Host](l, found)
			scope.Put(l, scope.Host{HostName: value})
		}
		return nil
	})
	for _, a := range c.attempts.end() {
		switch {
		case a.settled && !a.refuse:
			c.board.add(c.id, g, history.Input{Changes: a.change}, history.Output{}, a.began, a.ended)
			a.arrived--
		case a.settled:
			a.arrived-- // somebody was first
		}
		c.unknown(g, a)
	}
	return err
}
