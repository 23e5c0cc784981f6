package server

import (
	"errors"
	"net/http"
)

// remove answers most refusals with 200 and a member error, as deployed heads do.
func (h *Head) remove(_ http.ResponseWriter, r *http.Request) (any, error) {
	a := h.parse(r)
	name, tokens := a.name(), a.tokens()
	if a.err != nil {
		return nil, a.err
	}
	if !h.trusted(r) {
		return nil, errUntrusted
	}
	c := Change{Name: name, Tokens: tokens, Delete: true}
	if err := h.condition(a, &c); err != nil {
		return nil, err
	}
	_, err := h.store.Apply(r.Context(), c)
	switch {
	case errors.Is(err, ErrCondition):
		return nil, errPrecondition
	case errors.Is(err, ErrNoEntry):
		return text{"error": "Failed to delete scope: no such entry"}, nil
	case errors.Is(err, ErrWriteToken):
		return text{"error": "Cannot delete scope: incorrect write token"}, nil
	case err != nil:
		return nil, err
	}
	return text{"Success": "Scope deleted"}, nil
}
