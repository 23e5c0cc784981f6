package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/renci-nrig/comet-go/scope"
)

// writeValue is what a write answers with. Deployed heads have no member created.
type writeValue struct {
	Success string
	Created bool `json:"created"`
}

var (
	errUntrusted  = bad("Invalid certificate: Unauthorized client", "{Unauthorized client}")
	errWriteToken = &refusal{http.StatusForbidden, "Cannot write scope: incorrect write token", "incorrect write token"}
)

func (h *Head) write(w http.ResponseWriter, v *visit) (any, error) {
	a := h.parse(v)
	name, tokens := a.name(), a.tokens()
	if a.err != nil {
		return nil, a.err
	}
	if err := h.checkTokens(tokens); err != nil {
		return nil, err
	}
	value, err := readBody(w, v, "value", h.maxValue())
	if err != nil {
		return nil, err
	}
	c := Change{Name: name, Tokens: tokens, Value: string(value), MayCreate: h.mayCreate(v), Room: h.limits.Entries, Owner: h.owner(v)}
	if err := h.condition(a, &c); err != nil {
		return nil, err
	}
	results, err := h.store.Apply(v.Context(), c)
	switch {
	case errors.Is(err, ErrCondition):
		return nil, errPrecondition
	case errors.Is(err, ErrMayNotCreate):
		return nil, errUntrusted
	case errors.Is(err, ErrWriteToken):
		return nil, errWriteToken
	case errors.Is(err, ErrFull):
		return nil, h.full(v)
	case err != nil:
		return nil, err
	}
	v.outcomes = []string{outcome(c, results[0])}
	h.tag(w, results[0].Revision)
	return writeValue{"success, added Accumulo row: " + name.Context.String() + " to table: comet", results[0].Created}, nil
}

// checkTokens refuses tokens that nobody should write with.
func (h *Head) checkTokens(t scope.Tokens) error {
	switch {
	case t.Read == t.Write: // both are the client's own, so time does not matter
		return bad("Invalid tokens: read and write token cannot be the same", "invalid tokens")
	case h.strong && t.Read.Strong() != nil:
		return bad("Read token not strong enough", "weak read token")
	case h.strong && t.Write.Strong() != nil:
		return bad("Write token not strong enough", "weak write token")
	}
	return nil
}

// readBody reads the value to be written, or the batch: whatever what calls it. Its errors quote nothing of it.
func readBody(w http.ResponseWriter, v *visit, what string, most int) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, v.Body, int64(most)))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		v.limit = LimitSize
		return nil, &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("The %s is longer than %d bytes", what, most), what + " too long"}
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errCutShort
	case err != nil:
		return nil, bad("The request body could not be read to its end", "unreadable body")
	case len(body) == 0:
		return nil, bad("Required request body is missing", "missing body")
	case !utf8.Valid(body):
		return nil, bad("The "+what+" is not valid UTF-8", "invalid "+what)
	}
	return body, nil
}
