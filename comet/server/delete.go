package server

import (
	"errors"
	"net/http"
)

var errOwner = &refusal{http.StatusForbidden, "Cannot delete scope: another client created it and owns it", "not the owner"}

// remove answers most refusals with 200 and a member error, as deployed heads do.
func (h *Head) remove(_ http.ResponseWriter, v *visit) (any, error) {
	a := h.parse(v)
	name, tokens := a.name(), a.tokens()
	if a.err != nil {
		return nil, a.err
	}
	if !h.mayCreate(v) {
		return nil, errUntrusted
	}
	c := Change{Name: name, Tokens: tokens, Delete: true, Owner: h.owner(v)}
	if err := h.condition(a, &c); err != nil {
		return nil, err
	}
	results, err := h.store.Apply(v.Context(), c)
	switch {
	case errors.Is(err, ErrCondition):
		return nil, errPrecondition
	case errors.Is(err, ErrOwner):
		return nil, errOwner
	case errors.Is(err, ErrNoEntry):
		return v.notRemoved("Failed to delete scope: no such entry"), nil
	case errors.Is(err, ErrWriteToken):
		return v.notRemoved("Cannot delete scope: incorrect write token"), nil
	case err != nil:
		return nil, err
	}
	v.outcomes = []string{outcome(c, results[0])}
	return text{"Success": "Scope deleted"}, nil
}

// notRemoved is the value of an answer that says 200 and means no.
func (v *visit) notRemoved(why string) text {
	v.outcomes = []string{"refused: " + why}
	return text{"error": why}
}
