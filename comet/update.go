package comet

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/renci-nrig/comet-go/scope"
)

// Create stores a value in a new entry. Where the read token shows one already, the error is ErrConflict and nothing is written;
// for the rest see Write. Heads without conditional writes are asked before: between the question and the write somebody else's
// entry could come, and would be overwritten.
func (c *Client) Create(ctx context.Context, name scope.Name, tokens scope.Tokens, value []byte) error {
	if _, err := writeCall(name, tokens, value); err != nil {
		return invalid(opWrite, err)
	}
	switch _, err := c.Read(ctx, name, tokens.Read); {
	case err == nil:
		return &Error{Op: opWrite, Kind: ErrConflict, Err: fmt.Errorf("%s is there already", name)}
	case !errors.Is(err, ErrNotFound):
		return err
	}
	_, err := c.Write(ctx, name, tokens, value)
	return err
}

// updateRounds is how often Update tries against others who change the same entry.
const updateRounds = 8

// Update changes a part of an entry: it reads the entry, lets edit change the list, and writes the list back; what edit does not
// touch keeps its bytes. It is the only read-modify-write of this package, so that nothing is ever saved after a reading that
// failed or found nothing: where there is no entry the error is ErrNotFound and nothing is written.
//
// Update then reads back and runs edit again, until edit changes nothing: a change that somebody else overwrote is made once more,
// on top of theirs. edit must therefore be such that a second run changes nothing, as putting and removing elements are. Where
// others win every time the error is ErrConflict. On heads without conditional writes, a loss after the last reading back is not
// seen.
func (c *Client) Update(ctx context.Context, name scope.Name, tokens scope.Tokens, edit func(*scope.List) error) error {
	for range updateRounds {
		changed, err := c.updateOnce(ctx, name, tokens, edit)
		if err != nil || !changed {
			return err
		}
	}
	return &Error{Op: opWrite, Kind: ErrConflict, Err: fmt.Errorf("%s was changed by somebody else %d times in a row", name, updateRounds)}
}

// updateOnce reads, edits and writes. It reports false where edit found nothing to change.
func (c *Client) updateOnce(ctx context.Context, name scope.Name, tokens scope.Tokens, edit func(*scope.List) error) (changed bool, err error) {
	entry, err := c.Read(ctx, name, tokens.Read)
	if err != nil {
		return false, err
	}
	list, err := scope.ParseList(entry.Value)
	if err != nil {
		return false, invalid(opWrite, fmt.Errorf("%s: %w", name, err))
	}
	if err := edit(list); err != nil {
		return false, err
	}
	value := list.Bytes()
	if bytes.Equal(value, entry.Value) {
		return false, nil
	}
	call, err := writeCall(name, tokens, value)
	if err != nil {
		return false, invalid(opWrite, err)
	}
	// One attempt: repeated blindly, a write that did arrive could land once more on top of somebody else's.
	call.once = true
	_, sure, err := c.do(ctx, call)
	if err != nil && !(sure.mayHaveArrived && ctx.Err() == nil) {
		return false, err
	}
	return true, nil
}
