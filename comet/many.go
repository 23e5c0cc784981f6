package comet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
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
	return c.many(ctx, together{op: opWrite}, items, bulk, func(ctx context.Context, i Item, _ bool) error {
		_, err := c.Write(ctx, i.Name, i.Tokens, i.Value)
		return err
	}, nil)
}

// CreateMany creates several entries; where something stands already it is left as it is, and that is no error. It returns the items
// that were created, or may have been, also beside an error. After an attempt that broke off, the same value that stood before
// cannot be told from a new one: whoever needs to know reads before.
func (c *Client) CreateMany(ctx context.Context, items []Item, bulk Bulk) (created []Item, err error) {
	made := &made{}
	err = c.many(ctx, together{op: opWrite, new: true}, items, bulk, func(ctx context.Context, i Item, unsure bool) error {
		if unsure {
			e, err := c.Read(ctx, i.Name, i.Tokens.Read)
			switch {
			case err == nil && bytes.Equal(e.Value, i.Value):
				return nil
			case err == nil:
				made.not(i)
				return nil
			case !errors.Is(err, ErrNotFound):
				return err
			}
		}
		err := c.Create(ctx, i.Name, i.Tokens, i.Value)
		if err == nil || MayHaveArrived(err) {
			made.add(i)
		} else {
			made.not(i)
		}
		if errors.Is(err, ErrExists) {
			return nil
		}
		return err
	}, func(err error, part []Item) {
		if err == nil || MayHaveArrived(err) {
			made.add(part...)
		}
	})
	return made.items(items), err
}

// made is which entries were made, or may have been. Safe for concurrent use.
type made struct {
	mu   sync.Mutex
	list map[entryID]bool
}

type entryID struct {
	name scope.Name
	read scope.Token
}

func (i Item) id() entryID { return entryID{i.Name, i.Tokens.Read} }

func (m *made) add(items ...Item) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list == nil {
		m.list = map[entryID]bool{}
	}
	for _, i := range items {
		m.list[i.id()] = true
	}
}

func (m *made) not(i Item) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.list, i.id())
}

// items returns those that were made, in their order.
func (m *made) items(all []Item) []Item {
	return slices.DeleteFunc(slices.Clone(all), func(i Item) bool { return !m.list[i.id()] })
}

// DeleteMany removes several entries, whose values are not looked at. What is not there, or not shown by its read token, is no error;
// removed says how many were.
func (c *Client) DeleteMany(ctx context.Context, items []Item, bulk Bulk) (removed int, err error) {
	var count atomic.Int64
	err = c.many(ctx, together{op: opDelete}, items, bulk, func(ctx context.Context, i Item, unsure bool) error {
		err := c.Delete(ctx, i.Name, i.Tokens)
		absent := errors.Is(err, ErrNotFound)
		if err == nil || absent && unsure {
			count.Add(1)
		}
		if absent {
			return nil
		}
		return err
	}, func(err error, part []Item) {
		if err == nil {
			count.Add(int64(len(part)))
		}
	})
	return int(count.Load()), err
}

// many does something with every item: as many at once as heads take, or one by one where they take no batches. Of a batch that is
// refused the items are taken one by one too, so that what comes of them is the same either way; single is told where the batch may
// have been carried out before. did, which may be nil, is told what came of a batch that was carried out, or may have been.
func (c *Client) many(ctx context.Context, t together, items []Item, bulk Bulk, single func(context.Context, Item, bool) error, did func(error, []Item)) error {
	alone := func(ctx context.Context, i Item) error { return single(ctx, i, false) }
	most := 0
	if len(items) > 1 {
		about, _ := c.about(ctx)
		most = about.limit(extensionBatch)
	}
	if most < 2 {
		return Each(ctx, items, bulk, alone)
	}
	progress := bulk.steps(len(items))
	whole := Bulk{Parallel: bulk.Parallel, All: bulk.All}
	return Each(ctx, t.parts(items, most), whole, func(ctx context.Context, part []Item) error {
		unsure, err := c.together(ctx, t, part)
		if _, refused := errors.AsType[*Error](err); refused {
			if unsure && did != nil {
				did(&HeadsError{Op: t.op, MayHaveArrived: true}, part)
			}
			return Each(ctx, part, Bulk{Parallel: singles, All: bulk.All, Progress: func(int, int) { progress(1) }},
				func(ctx context.Context, i Item) error { return single(ctx, i, unsure) })
		}
		if did != nil {
			did(err, part)
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
