package comet

import (
	"context"
	"crypto/sha256"
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
	answers := make([]digest, len(f.Read))
	copy(answers, f.answers)
	news := map[int][]Entry{} // by token; where it is missing, the answer is the one before
	for token, read := range f.Read {
		entries, same, err := f.c.listOf(ctx, f.Context, f.Families, read, &answers[token])
		if err != nil {
			return Change{}, err
		}
		if !same {
			news[token] = entries
		}
	}
	if len(news) == 0 {
		return Change{}, nil
	}
	change := f.compare(news)
	change.Whole, change.Compared = first, !first
	f.answers = answers
	f.rev = "" // a head that waits is asked for everything again
	return change, nil
}

// compare finds out what the new answers of some tokens change in what is known, and keeps what they say.
func (f *follower) compare(news map[int][]Entry) (change Change) {
	now := make(map[watchedName]digest, len(f.known))
	for at, value := range f.known {
		if _, asked := news[at.token]; !asked {
			now[at] = value
		}
	}
	for token := range f.Read {
		for _, e := range news[token] {
			at := watchedName{token, e.Name}
			now[at] = sha256.Sum256(e.Value)
			if before, known := f.known[at]; !known || before != now[at] {
				change.Entries = append(change.Entries, Watched{Entry: e, Token: token})
			}
		}
	}
	for at := range f.known {
		if _, there := now[at]; !there {
			change.Removed = append(change.Removed, Watched{Entry: Entry{Name: at.name}, Token: at.token})
		}
	}
	f.known = now
	return change
}

// every is how long to wait before heads are asked again.
func (f *follower) every() time.Duration {
	if f.Pause == nil {
		return f.Every
	}
	return max(f.Pause(), time.Millisecond)
}

// listOf lists families of a context in one request, however many they are; before is as for listUnless.
func (c *Client) listOf(ctx context.Context, id scope.ContextID, families []scope.Family, read scope.Token, before *digest) ([]Entry, bool, error) {
	if len(families) == 1 {
		return c.listUnless(ctx, id, families[0], read, before)
	}
	entries, same, err := c.listUnless(ctx, id, scope.Family{}, read, before)
	return slices.DeleteFunc(entries, func(e Entry) bool { return !slices.Contains(families, e.Name.Family) }), same, err
}

// Snapshot lists what a watch would show first: one request for each read token.
func (c *Client) Snapshot(ctx context.Context, w Watch) (Change, error) {
	change := Change{Whole: true}
	for token, read := range w.Read {
		entries, _, err := c.listOf(ctx, w.Context, w.Families, read, nil)
		if err != nil {
			return Change{}, err
		}
		for _, e := range entries {
			change.Entries = append(change.Entries, Watched{Entry: e, Token: token})
		}
	}
	return change, nil
}
