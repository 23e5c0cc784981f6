package comet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/renci-nrig/comet-go/scope"
)

// Item is one entry to be written, created or removed with others.
type Item struct {
	Name   scope.Name
	Tokens scope.Tokens
	Value  []byte
}

// ReadMany reads several entries that one read token shows. The entries come in the order of the names; where bulk.All is set and
// some fail, theirs have no value, and the error joins what each said.
func (c *Client) ReadMany(ctx context.Context, names []scope.Name, read scope.Token, bulk Bulk) ([]Entry, error) {
	entries := make([]Entry, len(names))
	err := Each(ctx, indexes(len(names)), bulk, func(ctx context.Context, i int) (err error) {
		entries[i], err = c.Read(ctx, names[i], read)
		entries[i].Name = names[i]
		return err
	})
	return entries, err
}

// WriteMany writes several entries, in no particular order; where heads offer it, several in one request.
func (c *Client) WriteMany(ctx context.Context, items []Item, bulk Bulk) error {
	return c.many(ctx, together{op: opWrite}, items, bulk, func(ctx context.Context, i Item) error {
		_, err := c.Write(ctx, i.Name, i.Tokens, i.Value)
		return err
	}, nil)
}

// CreateMany creates several entries; where something stands already it is left as it is, and that is no error. It returns the items
// that were created, or may have been, also beside an error. After an attempt that broke off, the same value that stood before
// cannot be told from a new one: whoever needs to know reads before.
func (c *Client) CreateMany(ctx context.Context, items []Item, bulk Bulk) (created []Item, err error) {
	var mu sync.Mutex
	add := func(err error, items ...Item) {
		if err == nil || MayHaveArrived(err) {
			mu.Lock()
			defer mu.Unlock()
			created = append(created, items...)
		}
	}
	err = c.many(ctx, together{op: opWrite, new: true}, items, bulk, func(ctx context.Context, i Item) error {
		err := c.Create(ctx, i.Name, i.Tokens, i.Value)
		add(err, i)
		if errors.Is(err, ErrExists) {
			return nil
		}
		return err
	}, add)
	return created, err
}

// DeleteMany removes several entries, whose values are not looked at. What is not there, or not shown by its read token, is no error;
// removed says how many were.
func (c *Client) DeleteMany(ctx context.Context, items []Item, bulk Bulk) (removed int, err error) {
	var count atomic.Int64
	add := func(err error, items ...Item) {
		if err == nil {
			count.Add(int64(len(items)))
		}
	}
	err = c.many(ctx, together{op: opDelete}, items, bulk, func(ctx context.Context, i Item) error {
		err := c.Delete(ctx, i.Name, i.Tokens)
		add(err, i)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	}, add)
	return int(count.Load()), err
}

// many does something with every item: as many at once as heads take, or one by one where they take no batches. Of a batch that is
// refused the items are taken one by one too, so that what comes of them is the same either way. did, which may be nil, is told what
// came of a batch that was not refused.
func (c *Client) many(ctx context.Context, t together, items []Item, bulk Bulk, single func(context.Context, Item) error, did func(error, ...Item)) error {
	most := 0
	if len(items) > 1 {
		most = c.about(ctx).limit(extensionBatch)
	}
	if most < 2 {
		return Each(ctx, items, bulk, single)
	}
	progress := bulk.steps(len(items))
	whole := Bulk{Parallel: bulk.Parallel, All: bulk.All}
	return Each(ctx, t.parts(items, most), whole, func(ctx context.Context, part []Item) error {
		err := c.together(ctx, t, part)
		if _, refused := errors.AsType[*Error](err); refused {
			return Each(ctx, part, Bulk{Parallel: singles, All: bulk.All, Progress: func(int, int) { progress(1) }}, single)
		}
		if did != nil {
			did(err, part...)
		}
		progress(len(part))
		return err
	})
}

// singles is how many items of a refused batch are taken side by side.
const singles = 4

// ListMany lists several families of a context that one read token shows. The entries come family by family in the order given;
// where bulk.All is set and some fail, theirs are missing, and the error joins what each said.
func (c *Client) ListMany(ctx context.Context, id scope.ContextID, families []scope.Family, read scope.Token, bulk Bulk) ([]Entry, error) {
	parts := make([][]Entry, len(families))
	err := Each(ctx, indexes(len(families)), bulk, func(ctx context.Context, i int) (err error) {
		parts[i], err = c.List(ctx, id, families[i], read)
		return err
	})
	var entries []Entry
	for _, p := range parts {
		entries = append(entries, p...)
	}
	return entries, err
}

// ErrNoWriteToken is why DeleteShown leaves an entry where it is.
var ErrNoWriteToken = errors.New("no write token is known for its key")

// DeleteShown removes everything in a context that the read token shows, whichever VM it belongs to: with a slice's read token that
// is the whole slice. write has the write token of each key; an entry whose key is not in it stays, and is an error that matches
// ErrNoWriteToken. It goes on after an error; the error joins what stayed. To remove one entry use Delete.
func (c *Client) DeleteShown(ctx context.Context, id scope.ContextID, read scope.Token, write map[scope.Key]scope.Token, bulk Bulk) error {
	entries, err := c.List(ctx, id, scope.Family{}, read)
	if err != nil {
		return err
	}
	var items []Item
	var errs []error
	for _, e := range entries {
		token, known := write[e.Name.Key]
		if !known {
			errs = append(errs, fmt.Errorf("%s: %w", e.Name, ErrNoWriteToken))
			continue
		}
		items = append(items, Item{Name: e.Name, Tokens: scope.Tokens{Read: read, Write: token}})
	}
	bulk.All = true
	_, err = c.DeleteMany(ctx, items, bulk)
	return errors.Join(append(errs, err)...)
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
