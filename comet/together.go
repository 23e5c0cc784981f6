package comet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// ErrNotOffered: the heads do not take in one request what was asked.
var ErrNotOffered = errors.New("is not offered by the heads")

// WriteTogether writes several entries of one context: all of them, or none. What a head refuses is an *Error whose Entry is the
// one it refused.
//
// It needs heads that take batches, and no more items, nor larger ones, than they take (at present 40, and 1 MiB in all); else the
// error is ErrNotOffered, and the caller may write one by one. What need not be written together is for WriteMany.
func (c *Client) WriteTogether(ctx context.Context, items []Item) error {
	_, err := c.together(ctx, together{op: opWrite}, items)
	return err
}

// together says what is to be done with several entries in one request.
type together struct {
	op  string
	new bool // write only where nothing stands
}

func (t together) path() string {
	if t.op == opDelete {
		return "/deleteScopes"
	}
	return "/writeScopes"
}

// batch is the body of the request, as comet/server describes it.
type batch struct {
	ContextID string       `json:"contextId"`
	Entries   []batchEntry `json:"entries"`
}

type batchEntry struct {
	Family      string `json:"family"`
	Key         string `json:"key"`
	ReadToken   string `json:"readToken"`
	WriteToken  string `json:"writeToken"`
	Value       string `json:"value,omitempty"`
	IfNoneMatch string `json:"ifNoneMatch,omitempty"`
}

func (t together) entry(i Item) batchEntry {
	e := batchEntry{Family: i.Name.Family.String(), Key: i.Name.Key.String(), ReadToken: i.Tokens.Read.Reveal(), WriteToken: i.Tokens.Write.Reveal()}
	if t.op == opWrite {
		e.Value = string(i.Value)
	}
	if t.new {
		e.IfNoneMatch = "*"
	}
	return e
}

// together makes the request. unsure says, also of one that was refused, that an attempt before may have been carried out.
func (c *Client) together(ctx context.Context, t together, items []Item) (unsure bool, err error) {
	if len(items) == 0 {
		return false, nil
	}
	call, err := t.call(items)
	if err != nil {
		return false, err
	}
	about, answered := c.about(ctx) // while none answers, one may a moment later: that is no reason to write one by one
	if answered && len(items) > about.limit(extensionBatch) || len(call.body) > maxBatchBody {
		return false, &Error{Op: t.op, Entry: call.entry(), Err: fmt.Errorf("%d entries, %d bytes, in one request: %w", len(items), len(call.body), ErrNotOffered)}
	}
	_, sure, err := c.do(ctx, call)
	refused, ok := errors.AsType[*Error](err)
	if errors.Is(err, errNotOffered) || ok && refused.Status == http.StatusRequestEntityTooLarge { // any more: those that do are away
		return sure.mayHaveArrived, &Error{Op: t.op, Entry: call.entry(), Err: ErrNotOffered}
	}
	if ok {
		refused.Entry = refusedEntry(refused, items)
	}
	return sure.mayHaveArrived, err
}

// maxBatchBody is how many bytes heads take in one batch.
const maxBatchBody = 1 << 20

func (t together) call(items []Item) (call, error) {
	id := items[0].Name.Context
	one := call{op: t.op, method: http.MethodPost, path: t.path(), name: scope.Name{Context: id}, needs: extensionBatch}
	b := batch{ContextID: id.String()}
	for _, i := range items {
		if err := t.check(i, id); err != nil {
			return call{}, &Error{Op: t.op, Entry: i.Name.String(), Kind: ErrInvalid, Err: err}
		}
		b.Entries = append(b.Entries, t.entry(i))
		one.inside = append(one.inside, i.Tokens.Read, i.Tokens.Write)
	}
	one.body = encode(b)
	return one, nil
}

func (t together) check(i Item, id scope.ContextID) (err error) {
	if t.op == opWrite {
		_, err = writeCall(i.Name, i.Tokens, i.Value)
	} else {
		err = checkCall(i.Name, i.Tokens.Read, i.Tokens.Write)
	}
	if err == nil && i.Name.Context != id {
		err = fmt.Errorf("is not of context %s, as the others are", id)
	}
	return err
}

// encode is JSON for a head.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // there is nothing but text in it
	}
	return text
}

// refusedEntry is the entry that a head says it refused, by its place among the items; the context where it does not tell.
func refusedEntry(refused *Error, items []Item) string {
	place, _, _ := strings.Cut(strings.TrimPrefix(refused.Message, "Entry "), ":")
	if i, err := strconv.ParseUint(place, 10, 31); err == nil && int(i) < len(items) {
		return items[i].Name.String()
	}
	return refused.Entry
}

// parts cuts items, in their order, into such as may go in one request.
func (t together) parts(items []Item, most int) (all [][]Item) {
	var part []Item
	size := 0
	for _, i := range items {
		more := len(encode(t.entry(i))) + 1
		if len(part) == most || len(part) > 0 && (size+more > maxBatchBody-batchFrame || i.Name.Context != part[0].Name.Context) {
			all, part, size = append(all, part), nil, 0
		}
		part, size = append(part, i), size+more
	}
	if len(part) > 0 {
		all = append(all, part)
	}
	return all
}

// batchFrame is room for what stands around the entries: a context's name of 1 KiB, which JSON may make several times as long.
const batchFrame = 8 << 10
