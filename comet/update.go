package comet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// Create stores a value in a new entry. Where the read token shows one already, the error is ErrExists, and ErrConflict, and nothing is
// written; for the rest see Write. Heads without conditional changes are asked before: between the question and the write somebody else's
// entry could come, and would be overwritten.
func (c *Client) Create(ctx context.Context, name scope.Name, tokens scope.Tokens, value []byte) error {
	call, err := writeCall(name, tokens, value)
	if err != nil {
		return invalid(opWrite, err)
	}
	about, answered := c.about(ctx)
	call.ifAbsent = about.Offers(extensionTags) || !answered // a head that answers later may well offer it
	sure := outcome{}
	if call.ifAbsent {
		_, sure, err = c.do(ctx, call)
	}
	if !call.ifAbsent || errors.Is(err, errNotOffered) && !sure.mayHaveArrived {
		call.ifAbsent = false
		if err := c.seeNothing(ctx, name, tokens.Read); err != nil {
			return err
		}
		_, sure, err = c.do(ctx, call)
	}
	if refused, ok := errors.AsType[*Error](err); !ok || refused.Status != http.StatusPreconditionFailed {
		return err
	}
	if err = exists(name); sure.mayHaveArrived {
		return c.seeValue(ctx, name, tokens.Read, value, err)
	}
	return err
}

func exists(name scope.Name) error {
	return &Error{Op: opWrite, Entry: name.String(), Kind: ErrConflict, Err: fmt.Errorf("is %w", ErrExists)}
}

// seeNothing is an error unless there is no entry.
func (c *Client) seeNothing(ctx context.Context, name scope.Name, read scope.Token) error {
	switch _, err := c.Read(ctx, name, read); {
	case err == nil:
		return exists(name)
	case !errors.Is(err, ErrNotFound):
		return err
	}
	return nil
}

// seeValue settles a change that was refused after an attempt that may have arrived: where the value is there it did, else the
// refusal stands.
func (c *Client) seeValue(ctx context.Context, name scope.Name, read scope.Token, value []byte, refusal error) error {
	entry, err := c.Read(ctx, name, read)
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	case err == nil && bytes.Equal(entry.Value, value):
		return nil
	}
	return refusal
}

// about is what the first head that answers says about itself; false where none does.
func (c *Client) about(ctx context.Context) (about Version, answered bool) {
	heads := c.pool.all()
	for i, h := range heads {
		attempt, cancel := context.WithTimeout(ctx, c.share(ctx, len(heads)-i+1))
		about, r := c.learn(attempt, h)
		cancel()
		if r.err == nil {
			return about, true
		}
		if ctx.Err() == nil && r.verdict == failed && !r.late {
			c.note(h, r.err)
		}
	}
	return Version{}, false
}

// updateRounds is how often Update tries against others who change the same entry.
const updateRounds = 16

// Update changes a part of an entry: it reads the entry, lets edit change the list, and writes the list back; what edit does not
// touch keeps its bytes. It is the only read-modify-write of this package, so that nothing is ever saved after a reading that
// failed or found nothing: where there is no entry the error is ErrNotFound and nothing is written. edit may run several times,
// each time on a fresh reading, and a second run on its own result must change nothing, as with putting and removing elements.
//
// Where the head offers conditional changes, nobody else's change is ever overwritten: Update reads again and edits again. Where it
// does not, Update reads back and runs edit again until edit changes nothing, so that a change of ours that somebody else
// overwrote is made once more, on top of theirs; a loss after the last reading back is not seen. Where others win every time the
// error is ErrConflict; so it is where the entry holds no list, together with a *scope.DecodeError.
func (c *Client) Update(ctx context.Context, name scope.Name, tokens scope.Tokens, edit func(*scope.List) error) error {
	unlock, err := c.updates.lock(ctx, name) // this client at least does not get in its own way
	if err != nil {
		return &Error{Op: opWrite, Entry: name.String(), Kind: ErrUnavailable, Err: err}
	}
	defer unlock()
	var unknown error
	for round := range updateRounds {
		if round > 0 && !pause(ctx, rand.N(updatePause<<min(round, 5))) {
			break
		}
		done, err := c.updateOnce(ctx, name, tokens, edit)
		if done || err != nil && !MayHaveArrived(err) {
			return err
		}
		unknown = err
	}
	if unknown != nil { // it was not others who were in the way
		return unknown
	}
	return &Error{Op: opWrite, Entry: name.String(), Kind: ErrConflict, Err: fmt.Errorf("was changed by somebody else %d times in a row", updateRounds)}
}

// updatePause is the most that a second round waits; later ones wait longer, up to thirty-two times that.
const updatePause = 4 * time.Millisecond

// updateOnce reads, edits and writes. It reports true where edit found nothing to change, or the change is known to be made. An
// error that MayHaveArrived means that only another reading can tell.
func (c *Client) updateOnce(ctx context.Context, name scope.Name, tokens scope.Tokens, edit func(*scope.List) error) (done bool, err error) {
	entry, err := c.Read(ctx, name, tokens.Read)
	if err != nil {
		return false, err
	}
	list, err := scope.ParseList(entry.Value)
	if err != nil {
		return false, &Error{Op: opWrite, Entry: name.String(), Kind: ErrConflict, Err: err} // its state does not allow the change
	}
	if err := edit(list); err != nil {
		return false, err
	}
	value := list.Bytes()
	if bytes.Equal(value, entry.Value) {
		return true, nil
	}
	call, err := writeCall(name, tokens, value)
	if err != nil {
		return false, invalid(opWrite, err)
	}
	// One attempt: repeated blindly, a write that did arrive could land once more on top of somebody else's.
	call.once, call.ifTag = true, entry.Tag
	_, sure, err := c.do(ctx, call)
	if errors.Is(err, errNotOffered) && !sure.mayHaveArrived {
		call.ifTag = ""
		_, _, err = c.do(ctx, call)
	}
	switch refused, _ := errors.AsType[*Error](err); {
	case err == nil:
		return call.conditional(), nil // else what is read back decides
	case refused != nil && refused.Status == http.StatusPreconditionFailed:
		return false, nil // somebody was first: read again
	}
	return false, err
}
