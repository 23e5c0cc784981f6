package comet

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/renci-nrig/comet-go/scope"
)

// Entry is one entry as a head holds it.
type Entry struct {
	Name  scope.Name
	Value []byte // as stored: by convention JSON, see scope.ParseList and scope.Decode
	Tag   string // stands for this state of the entry; empty where it was listed, or the head gives no tags
}

// Read returns one entry. Where nothing is there, or the read token is wrong, the error is ErrNotFound.
func (c *Client) Read(ctx context.Context, name scope.Name, read scope.Token) (Entry, error) {
	if err := checkCall(name, read); err != nil {
		return Entry{}, invalid(opRead, err)
	}
	answer, _, err := c.do(ctx, call{
		op:     opRead,
		method: http.MethodGet,
		path:   "/readScope",
		name:   name,
		tokens: scope.Tokens{Read: read},
		parse:  func(value json.RawMessage) (any, *Error) { return parseEntry(name, value) },
	})
	if err != nil {
		return Entry{}, err
	}
	entry := answer.parsed.(Entry)
	entry.Tag = answer.tag
	return entry, nil
}

func parseEntry(name scope.Name, value json.RawMessage) (Entry, *Error) {
	e, err := decodeEntry(value)
	if err != nil {
		return Entry{}, &Error{Kind: ErrUnavailable, Err: errNotEnvelope}
	}
	if e.Value == nil {
		return Entry{}, &Error{Kind: ErrNotFound}
	}
	if differs(e.ContextID, name.Context.String()) || differs(e.Family, name.Family.String()) || differs(e.Key, name.Key.String()) {
		return Entry{}, &Error{Kind: ErrUnavailable, Err: errAnotherEntry}
	}
	return Entry{Name: name, Value: e.Value}, nil
}

var errAnotherEntry = errors.New("the answer is about another entry")

func decodeEntry(value json.RawMessage) (wireEntry[text], error) {
	var plain wireEntry[*string]
	if err := json.Unmarshal(value, &plain); err == nil {
		e := wireEntry[text]{ContextID: plain.ContextID, Family: plain.Family, Key: plain.Key}
		if plain.Value != nil {
			e.Value = text(*plain.Value)
		}
		return e, nil
	}
	var any wireEntry[text]
	err := json.Unmarshal(value, &any)
	return any, err
}

// List returns the entries of a context that the read token shows, of one family or, where family is zero, of all. No entries is
// an empty list and no error: heads give the same for a wrong token. Entries whose names make no sense are left out and logged.
func (c *Client) List(ctx context.Context, context scope.ContextID, family scope.Family, read scope.Token) ([]Entry, error) {
	entries, _, err := c.listUnless(ctx, context, family, read, nil)
	return entries, err
}

// listUnless is List but where the answer is the one that before stands for: same is true then, and the entries are not read out of it
// once more. before is set to the answer that was read.
func (c *Client) listUnless(ctx context.Context, context scope.ContextID, family scope.Family, read scope.Token, before *digest) (entries []Entry, same bool, err error) {
	if context.IsZero() || read.IsZero() {
		return nil, false, invalid(opList, errors.New("context or read token is missing"))
	}
	answer, _, err := c.do(ctx, call{
		op:     opList,
		method: http.MethodGet,
		path:   "/enumerateScope",
		name:   scope.Name{Context: context, Family: family},
		tokens: scope.Tokens{Read: read},
		parse:  func(value json.RawMessage) (any, *Error) { return c.parseEntries(context, family, value) },
		before: before,
	})
	switch {
	case err != nil:
		return nil, false, err
	case answer.parsed == nil:
		return nil, true, nil
	case before != nil:
		*before = answer.digest
	}
	return answer.parsed.([]Entry), false, nil
}

func (c *Client) parseEntries(context scope.ContextID, family scope.Family, value json.RawMessage) ([]Entry, *Error) {
	var list struct {
		ContextID string            `json:"contextId"`
		Family    string            `json:"family"`
		Entries   []wireEntry[text] `json:"entries"`
	}
	if err := json.Unmarshal(value, &list); err != nil {
		return nil, &Error{Kind: ErrUnavailable, Err: errNotEnvelope}
	}
	if differs(list.ContextID, context.String()) || !family.IsZero() && differs(list.Family, family.String()) {
		return nil, &Error{Kind: ErrUnavailable, Err: errAnotherEntry}
	}
	entries := make([]Entry, 0, len(list.Entries))
	for _, e := range list.Entries {
		if e.Value == nil {
			continue // it is being removed
		}
		if e.Family == "" {
			e.Family = family.String()
		}
		name, err := scope.NewName(context.String(), e.Family, e.Key)
		if err != nil {
			c.logger.Warn("an entry without a proper name is left out", slog.String("context", context.String()), slog.Any("because", err))
			continue
		}
		entries = append(entries, Entry{Name: name, Value: e.Value})
	}
	return entries, nil
}

// differs reports whether a head names something else than it was asked for; it may leave the name out.
func differs(answered, asked string) bool { return answered != "" && answered != asked }

// checkCall finds what is missing of a name and its tokens.
func checkCall(name scope.Name, tokens ...scope.Token) error {
	if name.IsZero() {
		return errors.New("context, family or key is missing")
	}
	for _, t := range tokens {
		if t.IsZero() {
			return errors.New("a token is missing")
		}
	}
	return nil
}
