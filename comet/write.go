package comet

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/renci-nrig/comet-go/scope"
)

// Outcome says what a write did.
type Outcome int

// The outcomes of a write. A write that was meant to update and says Created has made an entry under a read token that was not
// the one of the existing entry.
const (
	Written Outcome = iota // the head does not tell which
	Created
	Updated
)

func (o Outcome) String() string { return [...]string{"written", "created", "updated"}[o] }

// Write stores a value, in a new entry or in place of what the entry holds. To change a part of what is there use Update. The
// value must not be empty and must be valid UTF-8; heads of this project take up to 1 MiB. A write token that is not the entry's
// is ErrUnauthorized, so is the lack of a client certificate that the head trusts where the entry is new; equal tokens, and on
// some heads weak ones, are ErrInvalid.
//
// Where a first attempt broke off and a second one succeeded, the outcome is Written: the first may have created the entry.
func (c *Client) Write(ctx context.Context, name scope.Name, tokens scope.Tokens, value []byte) (Outcome, error) {
	call, err := writeCall(name, tokens, value)
	if err != nil {
		return Written, invalid(opWrite, err)
	}
	answer, sure, err := c.do(ctx, call)
	if err != nil || sure.mayHaveArrived {
		return Written, err
	}
	return parseOutcome(answer.value), nil
}

func writeCall(name scope.Name, tokens scope.Tokens, value []byte) (call, error) {
	switch err := checkCall(name, tokens.Read, tokens.Write); {
	case err != nil:
		return call{}, err
	case tokens.Read == tokens.Write:
		return call{}, errors.New("read and write token are the same")
	case len(value) == 0:
		return call{}, errors.New("the value is empty; an entry is emptied with {\"val_\":\"[]\"}, and removed by a call of its own")
	case !utf8.Valid(value):
		return call{}, errors.New("the value is not valid UTF-8")
	}
	return call{op: opWrite, method: http.MethodPost, path: "/writeScope", name: name, tokens: tokens, body: value}, nil
}

// parseOutcome reads the member that heads of this project add.
func parseOutcome(answer json.RawMessage) Outcome {
	var v struct {
		Created *bool `json:"created"`
	}
	switch err := json.Unmarshal(answer, &v); {
	case err != nil || v.Created == nil:
		return Written
	case *v.Created:
		return Created
	}
	return Updated
}

// Delete removes one entry. Where nothing is there, or the read token is wrong, the error is ErrNotFound: callers who only want it
// gone take that as done. It needs a client certificate that the head trusts, and the entry's write token; else the error is
// ErrUnauthorized.
func (c *Client) Delete(ctx context.Context, name scope.Name, tokens scope.Tokens) error {
	if err := checkCall(name, tokens.Read, tokens.Write); err != nil {
		return invalid(opDelete, err)
	}
	_, sure, err := c.do(ctx, call{op: opDelete, method: http.MethodDelete, path: "/deleteScope", name: name, tokens: tokens})
	if sure.mayHaveArrived && errors.Is(err, ErrNotFound) {
		return nil // an attempt that seemed to fail did it
	}
	return err
}
