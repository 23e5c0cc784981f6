package server

import (
	"net/http"

	"github.com/renci-nrig/comet-go/scope"
)

// readValue is what a read answers with.
type readValue struct {
	ContextID string `json:"contextId"`
	Family    string `json:"family"`
	Key       string `json:"key"`
	Value     string `json:"value"`
}

func (h *Head) read(w http.ResponseWriter, v *visit) (any, error) {
	a := h.parse(v)
	name, token := a.name(), a.readToken()
	if a.err != nil {
		return nil, a.err
	}
	e, found, err := h.store.Read(v.Context(), name, token)
	if err != nil {
		return nil, err
	}
	if !found {
		return struct{}{}, nil
	}
	if h.tag(w, e.Revision); a.has(w.Header().Get("ETag")) {
		return nil, errNotModified
	}
	return readValue{name.Context.String(), name.Family.String(), name.Key.String(), e.Value}, nil
}

// enumerateValue is what an enumeration answers with. The family stands once where it was asked for, else with each entry.
type enumerateValue struct {
	ContextID string            `json:"contextId"`
	Family    string            `json:"family,omitempty"`
	Entries   []enumeratedEntry `json:"entries"`
}

type enumeratedEntry struct {
	Family string `json:"family,omitempty"`
	Key    string `json:"key"`
	Value  string `json:"value"`
}

func (h *Head) enumerate(w http.ResponseWriter, v *visit) (any, error) {
	a := h.parse(v)
	id, token := a.context(), a.readToken()
	var family scope.Family
	if a.gives(paramFamily) {
		family = take(a, paramFamily, scope.ParseFamily)
	}
	if a.err != nil {
		return nil, a.err
	}
	listing, err := h.store.List(v.Context(), id, token, family)
	if err != nil {
		return nil, err
	}
	if h.tag(w, listing.Changed); a.has(w.Header().Get("ETag")) {
		return nil, errNotModified
	}
	entries := make([]enumeratedEntry, len(listing.Entries))
	for i, e := range listing.Entries {
		entries[i] = enumeratedEntry{Key: e.Name.Key.String(), Value: e.Value}
		if family.IsZero() {
			entries[i].Family = e.Name.Family.String()
		}
	}
	return enumerateValue{id.String(), family.String(), entries}, nil
}
