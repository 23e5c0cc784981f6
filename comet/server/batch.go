package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/renci-nrig/comet-go/scope"
)

// maxBatch is how many entries one request may change. etcd takes 128 operations in a transaction, which makes three for each.
const maxBatch = 40

// batch is the body of writeScopes and deleteScopes, JSON of at most 1 MiB. All of its entries are changed, under one revision, or
// none. A member that it does not have here is refused: it could be a condition, mistyped.
type batch struct {
	ContextID string       `json:"contextId"`
	Entries   batchEntries `json:"entries"` // 1 to maxBatch, each another one
}

type batchEntry struct {
	Family     string `json:"family"`
	Key        string `json:"key"`
	ReadToken  string `json:"readToken"`
	WriteToken string `json:"writeToken"`
	Value      string `json:"value"` // not empty; not there in a removal

	// The conditions of this entry, as the headers If-Match and If-None-Match of single changes: a rev or ETag that the entry must
	// have, and * where it must not be there. Not there where nothing is asked.
	IfMatch     string `json:"ifMatch"`
	IfNoneMatch string `json:"ifNoneMatch"`
}

// batchEntries are read until there are too many: a body of 1 MiB has room for so many empty ones that they would take two hundred times
// its length in memory.
type batchEntries []batchEntry

func (b *batchEntries) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	switch first, err := d.Token(); {
	case err != nil:
		return err
	case first != nil && first != json.Delim('['):
		return errNotBatch
	}
	*b = nil // where the member is there twice, the last counts
	for d.More() {
		if len(*b) == maxBatch {
			return errBatchTooLong
		}
		var e batchEntry
		if err := d.Decode(&e); err != nil {
			return err
		}
		*b = append(*b, e)
	}
	return nil
}

var (
	errNotBatch     = bad("The body is not the JSON of a batch, or has members that a batch does not have", "invalid batch")
	errBatchTooLong = &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("The batch has more than %d entries", maxBatch), "batch too long"}
)

// batchValue is what a batch answers with: an element for each entry, in the order of the request.
type batchValue struct {
	Success   string
	ContextID string         `json:"contextId"`
	Entries   []changedEntry `json:"entries"`
}

type changedEntry struct {
	Created bool   `json:"created"`
	Rev     string `json:"rev"` // of the entry now, for a later ifMatch; of its removal, where it was removed
}

func (h *Head) writeMany(w http.ResponseWriter, v *visit) (any, error) {
	id, changes, err := h.parseBatch(w, v, h.writeOf)
	if err != nil {
		return nil, err
	}
	may, owner := h.mayCreate(v), h.owner(v)
	for i := range changes {
		changes[i].MayCreate, changes[i].Room, changes[i].Owner = may, h.limits.Entries, owner
	}
	return h.applyBatch(v, id, changes, "Scopes written")
}

func (h *Head) removeMany(w http.ResponseWriter, v *visit) (any, error) {
	id, changes, err := h.parseBatch(w, v, removalOf)
	if err != nil {
		return nil, err
	}
	if !h.mayCreate(v) {
		return nil, errUntrustedBatch
	}
	for i := range changes {
		changes[i].Owner = h.owner(v)
	}
	return h.applyBatch(v, id, changes, "Scopes deleted")
}

// Refusals of batches have their true status; those of single changes have what deployed heads answer.
var (
	errUntrustedBatch   = &refusal{http.StatusForbidden, "Invalid certificate: Unauthorized client", "unauthorized client"}
	errWriteTokenDelete = &refusal{http.StatusForbidden, "Cannot delete scope: incorrect write token", "incorrect write token"}
	errNoEntry          = &refusal{http.StatusNotFound, "Failed to delete scope: no such entry", "no such entry"}
)

func (h *Head) applyBatch(v *visit, id scope.ContextID, changes []Change, success string) (any, error) {
	results, err := h.store.Apply(v.Context(), changes...)
	if err != nil {
		return nil, h.refusedChange(v, err, changes)
	}
	value := batchValue{Success: success, ContextID: id.String(), Entries: make([]changedEntry, len(results))}
	for i, result := range results {
		value.Entries[i] = changedEntry{result.Created, h.rev(result.Revision)}
		v.outcomes = append(v.outcomes, outcome(changes[i], result))
	}
	return value, nil
}

// refusedChange turns what a store says of one change into a refusal of its entry.
func (h *Head) refusedChange(v *visit, err error, changes []Change) error {
	refused, ok := errors.AsType[*ChangeError](err)
	switch {
	case !ok:
		return err
	case errors.Is(err, ErrNoEntry):
		return errNoEntry.at(refused.Index)
	case errors.Is(err, ErrWriteToken) && changes[refused.Index].Delete:
		return errWriteTokenDelete.at(refused.Index)
	case errors.Is(err, ErrWriteToken):
		return errWriteToken.at(refused.Index)
	case errors.Is(err, ErrMayNotCreate):
		return errUntrustedBatch.at(refused.Index)
	case errors.Is(err, ErrOwner):
		return errOwner.at(refused.Index)
	case errors.Is(err, ErrFull):
		return h.full(v).at(refused.Index)
	case errors.Is(err, ErrCondition):
		return errPrecondition.at(refused.Index)
	}
	return err
}

// parseBatch reads the body. Its errors quote nothing of it: tokens and values are in there.
func (h *Head) parseBatch(w http.ResponseWriter, v *visit, parse func(batchEntry) (Change, error)) (scope.ContextID, []Change, error) {
	body, err := readBody(w, v, "batch", MaxValue)
	if err != nil {
		return scope.ContextID{}, nil, err
	}
	b, err := decodeBatch(body)
	if err != nil {
		return scope.ContextID{}, nil, err
	}
	id, err := member("contextId", b.ContextID, scope.ParseContextID)
	if err != nil {
		return scope.ContextID{}, nil, err
	}
	v.context = id
	changes, err := h.changesOf(id, b.Entries, parse)
	for _, c := range changes {
		v.names = append(v.names, c.Name)
	}
	return id, changes, err
}

func decodeBatch(body []byte) (batch, error) {
	var b batch
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(&b)
	if err == nil {
		_, err = d.Token()
	}
	switch {
	case errors.Is(err, errBatchTooLong):
		return batch{}, errBatchTooLong
	case !errors.Is(err, io.EOF):
		return batch{}, errNotBatch
	case len(b.Entries) == 0:
		return batch{}, bad("The batch has no entries", "empty batch")
	}
	return b, nil
}

// changesOf checks the entries one by one, and that no two are the same: which one would count?
func (h *Head) changesOf(id scope.ContextID, entries []batchEntry, parse func(batchEntry) (Change, error)) ([]Change, error) {
	type entryID struct {
		name scope.Name
		read scope.Token
	}
	seen := map[entryID]int{}
	changes := make([]Change, len(entries))
	for i, e := range entries {
		c, err := parse(e)
		if err == nil {
			err = h.conditions(e.IfMatch, e.IfNoneMatch, &c)
		}
		c.Name.Context = id
		if first, twice := seen[entryID{c.Name, c.Tokens.Read}]; err == nil && twice {
			err = bad(fmt.Sprintf("This is entry %d again", first), "same entry twice")
		}
		if refused, ok := errors.AsType[*refusal](err); ok {
			return nil, refused.at(i)
		}
		seen[entryID{c.Name, c.Tokens.Read}] = i
		changes[i] = c
	}
	return changes, nil
}

func (h *Head) writeOf(e batchEntry) (Change, error) {
	c, err := changeOf(e)
	switch {
	case err != nil:
		return Change{}, err
	case e.Value == "":
		return Change{}, bad("Member 'value' is missing or empty", "missing value")
	}
	if c.Value = e.Value; len(c.Value) > h.maxValue() {
		return Change{}, &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("Member 'value' is longer than %d bytes", h.maxValue()), "value too long"}
	}
	return c, h.checkTokens(c.Tokens)
}

func removalOf(e batchEntry) (Change, error) {
	c, err := changeOf(e)
	if err == nil && e.Value != "" {
		err = bad("Member 'value' has no place in a removal", "value in a removal")
	}
	c.Delete = true
	return c, err
}

// changeOf reads what writes and removals have in common, but for the context.
func changeOf(e batchEntry) (c Change, err error) {
	if c.Name.Family, err = member("family", e.Family, scope.ParseFamily); err != nil {
		return c, err
	}
	if c.Name.Key, err = member("key", e.Key, scope.ParseKey); err != nil {
		return c, err
	}
	if c.Tokens.Read, err = member("readToken", e.ReadToken, scope.ParseToken); err != nil {
		return c, err
	}
	c.Tokens.Write, err = member("writeToken", e.WriteToken, scope.ParseToken)
	return c, err
}

// member parses a member of the body. The error names it and quotes nothing.
func member[T any](name, text string, parse func(string) (T, error)) (T, error) {
	v, err := parse(text)
	if e, ok := errors.AsType[*scope.NameError](err); ok {
		err = bad("Member '"+name+"' "+e.Reason, "invalid member")
	}
	return v, err
}
