package contents

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/scope"
)

// Store is what an operator may do with a store. All methods may be called while heads use it.
type Store interface {
	// Export writes the file of an export, of one moment.
	Export(ctx context.Context, w io.Writer) error

	// Groups lists what is there, by context and then by read token, and only where there are entries.
	Groups(ctx context.Context) ([]Group, error)

	// Purge removes all entries of a context, as their owners would have done, where none of them changed after a moment, and returns
	// how many there were: none where the context has changed since, or is not there. It may be repeated.
	Purge(ctx context.Context, id scope.ContextID, unchangedSince time.Time) (int, error)
}

// Group is all that one read token shows in a context.
type Group struct {
	Context scope.ContextID `json:"context"`
	Read    string          `json:"readDigest"` // first 8 hexadecimal digits of the read token's digest, to tell groups apart
	Entries int             `json:"entries"`
	Bytes   int64           `json:"bytes"` // of the values
	Oldest  time.Time       `json:"oldest"`
	Newest  time.Time       `json:"newest"` // when an entry was last changed; removals are not counted
}

// Collect sorts entries into groups, in the order of Store.Groups.
func Collect(ctx context.Context, from Entries) ([]Group, error) {
	type key struct {
		id   scope.ContextID
		read digest.Digest
	}
	found := map[key]*Group{}
	for r, err := range from {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return nil, err
		}
		k := key{r.Name.Context, r.Read}
		if found[k] == nil {
			found[k] = &Group{Context: k.id, Read: fmt.Sprintf("%x", k.read[:4]), Oldest: r.Modified, Newest: r.Modified}
		}
		found[k].add(r)
	}
	groups := make([]Group, 0, len(found))
	for _, g := range found {
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.Context.String(), b.Context.String()), cmp.Compare(a.Read, b.Read))
	})
	return groups, nil
}

func (g *Group) add(r Entry) {
	g.Entries++
	g.Bytes += int64(len(r.Value))
	if r.Modified.Before(g.Oldest) {
		g.Oldest = r.Modified
	}
	if r.Modified.After(g.Newest) {
		g.Newest = r.Modified
	}
}

// Header says where entries come from. It prints nothing of the key.
type Header struct {
	Store string     // identity
	Taken time.Time  // in UTC
	Key   digest.Key // under which tokens became digests
}

// Entry is an entry as stores keep it.
type Entry struct {
	Name        scope.Name
	Read, Write digest.Digest // of its tokens
	Value       string
	Modified    time.Time // to the millisecond, in UTC
	Owner       string    // empty where it has none
}

// Entries are read one after the other; the first error is the last of them.
type Entries = iter.Seq2[Entry, error]

// Imported is what an import did.
type Imported struct {
	Entries  int  `json:"entries"`  // in the file
	Added    int  `json:"added"`    // were not in the store
	Replaced int  `json:"replaced"` // were there, but older
	Kept     int  `json:"kept"`     // were there, the same or newer, and stayed, or were removed there, and stayed so
	Made     bool `json:"made"`     // the store was empty and has now the key of the file
}

// ErrOtherKey is why a store refuses an import: it has entries, or heads that may run, whose digests are of another key.
var ErrOtherKey = errors.New("has another key than the export: only an empty store, or one with the same key, takes it")
