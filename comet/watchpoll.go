package comet

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// poll lists everything, but for the first time after a pause, and finds out what changed.
func (f *follower) poll(ctx context.Context) (Change, error) {
	first := f.known == nil
	if every := f.every(); !first && !pause(ctx, every*3/4+rand.N(every/2)) {
		<-ctx.Done() // its time ends within the pause
		return Change{}, ctx.Err()
	}
	all, err := f.c.Snapshot(ctx, f.Watch)
	if err != nil {
		return Change{}, err
	}
	change := Change{Whole: first, Compared: !first}
	now := map[watchedName]string{}
	for _, e := range all.Entries {
		at := watchedName{e.Token, e.Name}
		now[at] = string(e.Value)
		if before, known := f.known[at]; !known || before != now[at] {
			change.Entries = append(change.Entries, e)
		}
	}
	for at := range f.known {
		if _, there := now[at]; !there {
			change.Removed = append(change.Removed, Watched{Entry: Entry{Name: at.name}, Token: at.token})
		}
	}
	f.known, f.rev = now, "" // a head that waits is asked for everything again
	return change, nil
}

// every is how long to wait before heads are asked again.
func (f *follower) every() time.Duration {
	if f.Pause == nil {
		return f.Every
	}
	return max(f.Pause(), time.Millisecond)
}

// listOf lists families of a context in one request, however many they are.
func (c *Client) listOf(ctx context.Context, id scope.ContextID, families []scope.Family, read scope.Token) ([]Entry, error) {
	if len(families) == 1 {
		return c.List(ctx, id, families[0], read)
	}
	entries, err := c.List(ctx, id, scope.Family{}, read)
	return slices.DeleteFunc(entries, func(e Entry) bool { return !slices.Contains(families, e.Name.Family) }), err
}

// Snapshot lists what a watch would show first: one request for each read token.
func (c *Client) Snapshot(ctx context.Context, w Watch) (Change, error) {
	change := Change{Whole: true}
	for token, read := range w.Read {
		entries, err := c.listOf(ctx, w.Context, w.Families, read)
		if err != nil {
			return Change{}, err
		}
		for _, e := range entries {
			change.Entries = append(change.Entries, Watched{Entry: e, Token: token})
		}
	}
	return change, nil
}
