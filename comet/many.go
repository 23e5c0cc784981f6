package comet

import (
	"context"
	"errors"
	"fmt"

	"github.com/renci-nrig/comet-go/scope"
)

// Item is one entry to be written, for WriteMany.
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

// WriteMany writes several entries, in no particular order.
func (c *Client) WriteMany(ctx context.Context, items []Item, bulk Bulk) error {
	return Each(ctx, items, bulk, func(ctx context.Context, i Item) error {
		_, err := c.Write(ctx, i.Name, i.Tokens, i.Value)
		return err
	})
}

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
	bulk.All = true
	return Each(ctx, entries, bulk, func(ctx context.Context, e Entry) error {
		token, known := write[e.Name.Key]
		if !known {
			return fmt.Errorf("%s: %w", e.Name, ErrNoWriteToken)
		}
		err := c.Delete(ctx, e.Name, scope.Tokens{Read: read, Write: token})
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
