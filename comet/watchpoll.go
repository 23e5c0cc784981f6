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
	change := Change{Whole: first, Compared: !first}
	now, news := map[watchedName]digest{}, false
	for token, read := range f.Read {
		entries, same, err := f.c.listOf(ctx, f.Context, f.Families, read, &answers[token])
		if err != nil {
			return Change{}, err
		}
		if news = news || !same; same {
			f.keep(now, token)
		}
		for _, e := range entries {
			at := watchedName{token, e.Name}
			now[at] = sha256.Sum256(e.Value)
			if before, known := f.known[at]; !known || before != now[at] {
				change.Entries = append(change.Entries, Watched{Entry: e, Token: token})
			}
		}
	}
	if !news {
		return Change{}, nil
	}
	for at := range f.known {
		if _, there := now[at]; !there {
			change.Removed = append(change.Removed, Watched{Entry: Entry{Name: at.name}, Token: at.token})
		}
	}
	f.known, f.answers = now, answers
	f.rev = "" // a head that waits is asked for everything again
	return change, nil
}

// keep takes over what is known of a token whose answer is the same as last time.
func (f *follower) keep(now map[watchedName]digest, token int) {
	for at, value := range f.known {
		if at.token == token {
			now[at] = value
		}
	}
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
