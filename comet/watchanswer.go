package comet

import (
	"encoding/json"
	"log/slog"
	"slices"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// watched is what an answer tells, and up to where.
type watched struct {
	Change
	rev string
}

// watchAnswer is the value of a watch's answer; comet/server describes it.
type watchAnswer struct {
	ContextID string `json:"contextId"`
	Rev       string `json:"rev"`
	Whole     bool   `json:"whole"`
	Families  []struct {
		Family  string         `json:"family"`
		Token   int            `json:"token"`
		Entries []watchedEntry `json:"entries"`
		Removed []string       `json:"removed"`
	} `json:"families"`
}

type watchedEntry struct {
	Key      string    `json:"key"`
	Value    string    `json:"value"`
	Modified time.Time `json:"modified"` // left out where it is that of the entry before
}

// parse reads an answer, and leaves out what was not asked for.
func (f *follower) parse(value json.RawMessage) (watched, *Error) {
	var a watchAnswer
	if json.Unmarshal(value, &a) != nil || differs(a.ContextID, f.Context.String()) || a.Rev == "" {
		return watched{}, &Error{Kind: ErrUnavailable, Err: errNotEnvelope}
	}
	change := Change{Whole: a.Whole}
	for _, part := range a.Families {
		family, err := scope.ParseFamily(part.Family)
		if err != nil || !slices.Contains(f.Families, family) || part.Token < 0 || part.Token >= len(f.Read) {
			continue
		}
		var modified time.Time
		for _, e := range part.Entries {
			if !e.Modified.IsZero() {
				modified = e.Modified
			}
			if w, ok := f.watched(family, e.Key, part.Token); ok {
				w.Value, w.Modified = []byte(e.Value), modified
				change.Entries = append(change.Entries, w)
			}
		}
		for _, key := range part.Removed {
			if w, ok := f.watched(family, key, part.Token); ok {
				change.Removed = append(change.Removed, w)
			}
		}
	}
	return watched{change, a.Rev}, nil
}

func (f *follower) watched(family scope.Family, key string, token int) (Watched, bool) {
	k, err := scope.ParseKey(key)
	if err != nil {
		f.c.logger.Warn("an entry without a proper name is left out", slog.String("context", f.Context.String()), slog.Any("because", err))
		return Watched{}, false
	}
	return Watched{Entry: Entry{Name: scope.Name{Context: f.Context, Family: family, Key: k}}, Token: token}, true
}
