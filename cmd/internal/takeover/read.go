package takeover

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// Found is what the tokens show.
type Found struct {
	Entries []server.Change // to be created
	Empty   int             // owners whose tokens showed nothing
	Unowned int             // entries without a write token
}

// ErrUnowned is why an entry is not taken over.
var ErrUnowned = errors.New("no write token is given for it")

// group is all that one read token shows in a context.
type group struct {
	context scope.ContextID
	read    scope.Token
}

// Read reads everything that the owners' tokens show. A token that shows nothing is an error that matches comet.ErrNotFound, because
// that is how a wrong one looks, and an entry without an owner one that matches ErrUnowned; with skip both are only counted.
func Read(ctx context.Context, heads *comet.Client, owners []Owner, skip bool) (Found, error) {
	var groups []group
	of := map[group][]Owner{}
	for _, o := range owners {
		g := group{o.Context, o.Tokens.Read}
		if of[g] == nil {
			groups = append(groups, g)
		}
		of[g] = append(of[g], o)
	}
	shown := make([][]comet.Entry, len(groups))
	numbers := make([]int, len(groups))
	for i := range numbers {
		numbers[i] = i
	}
	err := comet.Each(ctx, numbers, comet.Bulk{}, func(ctx context.Context, i int) (err error) {
		shown[i], err = listTwice(ctx, heads, groups[i])
		return err
	})
	if err != nil {
		return Found{}, err
	}
	var found Found
	for i, g := range groups {
		if err := found.add(of[g], shown[i], skip); err != nil {
			return Found{}, err
		}
	}
	return found, nil
}

// listTries is how often a group is listed until two answers in a row are the same.
const listTries = 6

// listTwice lists a group until two answers are the same: deployed heads may leave entries out when others change at the same time.
func listTwice(ctx context.Context, heads *comet.Client, g group) ([]comet.Entry, error) {
	var before []comet.Entry
	for try := range listTries {
		entries, err := heads.List(ctx, g.context, scope.Family{}, g.read)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(entries, func(a, b comet.Entry) int { return compareNames(a.Name, b.Name) })
		if try > 0 && slices.EqualFunc(before, entries, same) {
			return entries, nil
		}
		before = entries
	}
	return nil, fmt.Errorf("context %s changes all the time: what the heads show is another thing each time", g.context)
}

func compareNames(a, b scope.Name) int {
	return slices.Compare([]string{a.Family.String(), a.Key.String()}, []string{b.Family.String(), b.Key.String()})
}

func same(a, b comet.Entry) bool { return a.Name == b.Name && string(a.Value) == string(b.Value) }

// add finds each entry's owner, the most particular one.
func (f *Found) add(owners []Owner, entries []comet.Entry, skip bool) error {
	used := make([]bool, len(owners))
	for _, e := range entries {
		i := ownerOf(owners, e.Name)
		switch {
		case i < 0 && !skip:
			return fmt.Errorf("entry %s: %w", e.Name, ErrUnowned)
		case i < 0:
			f.Unowned++
			continue
		case len(e.Value) > server.MaxValue:
			return fmt.Errorf("entry %s: its value is longer than heads take", e.Name)
		}
		for j, o := range owners {
			used[j] = used[j] || o.has(e.Name)
		}
		f.Entries = append(f.Entries, server.Change{Name: e.Name, Tokens: owners[i].Tokens, Value: string(e.Value), MayCreate: true, IfAbsent: true})
	}
	for j, o := range owners {
		if !used[j] && !skip {
			return fmt.Errorf("the read token of %s shows nothing of its own in context %s: %w", o.Place, o.Context, comet.ErrNotFound)
		} else if !used[j] {
			f.Empty++
		}
	}
	return nil
}

func (o Owner) has(n scope.Name) bool {
	return (o.Family.IsZero() || o.Family == n.Family) && (o.Key.IsZero() || o.Key == n.Key)
}

// ownerOf prefers a key to a family, and both to none; -1 is nobody.
func ownerOf(owners []Owner, n scope.Name) int {
	best, weight := -1, -1
	for i, o := range owners {
		w := 0
		if !o.Key.IsZero() {
			w += 2
		}
		if !o.Family.IsZero() {
			w++
		}
		if o.has(n) && w > weight {
			best, weight = i, w
		}
	}
	return best
}
