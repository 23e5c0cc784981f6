// Package judge decides whether a change to an entry may be made. Every store asks it, so that all of them decide alike; how an
// entry is kept and how a change is made is theirs.
package judge

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/scope"
)

// Edit is a change with digests in place of its tokens.
type Edit struct {
	server.Change
	Read, Write digest.Digest
}

// Edits works out what needs no look at the store. Batches in which a name or a token is missing, or that change an entry twice,
// are refused with a *[server.ChangeError].
func Edits(key digest.Key, changes []server.Change) ([]Edit, error) {
	type entry struct {
		name scope.Name
		read digest.Digest
	}
	edits := make([]Edit, len(changes))
	seen := make(map[entry]bool, len(changes))
	for i, c := range changes {
		if c.Name.IsZero() || c.Tokens.Read.IsZero() || c.Tokens.Write.IsZero() {
			return nil, &server.ChangeError{Index: i, Err: errors.New("the name or a token is missing")}
		}
		if len(c.Owner) > server.MaxOwner || !utf8.ValidString(c.Owner) {
			return nil, &server.ChangeError{Index: i, Err: fmt.Errorf("the owner is longer than %d bytes, or not UTF-8", server.MaxOwner)}
		}
		e := Edit{c, key.Read(c.Name.Context, c.Tokens.Read), key.Write(c.Name.Context, c.Tokens.Write)}
		if seen[entry{c.Name, e.Read}] {
			return nil, &server.ChangeError{Index: i, Err: errors.New("the same entry is changed twice")}
		}
		seen[entry{c.Name, e.Read}] = true
		edits[i] = e
	}
	return edits, nil
}

// Found is what stands in the store under an edit's name and read token. The zero value is nothing.
type Found struct {
	There    bool
	Write    digest.Digest
	Owner    string // empty where it has none
	Value    []byte
	Revision uint64
}

// Verdict is what an allowed change will do: create, change what is there, or nothing at all; and who owns the entry afterwards.
type Verdict struct {
	Creates, Changes bool
	Owner            string
}

// Judge decides on one edit by what is in the store now. Refusals are those of [server.Store].
func Judge(e Edit, now Found) (Verdict, error) {
	if !now.There {
		return judgeAbsent(e)
	}
	switch {
	case e.IfAbsent: // who may read the entry may know that it is there, whatever the write token
		return Verdict{}, server.ErrCondition
	case !now.Write.Equal(e.Write):
		return Verdict{}, server.ErrWriteToken
	case e.Delete && e.Owner != "" && now.Owner != "" && now.Owner != e.Owner:
		return Verdict{}, server.ErrOwner
	case e.IfRevision != 0 && e.IfRevision != now.Revision:
		return Verdict{}, server.ErrCondition
	}
	return Verdict{Changes: e.Delete || string(now.Value) != e.Value, Owner: now.Owner}, nil
}

func judgeAbsent(e Edit) (Verdict, error) {
	switch {
	case e.Delete:
		return Verdict{}, server.ErrNoEntry
	case e.IfRevision != 0:
		return Verdict{}, server.ErrCondition
	case !e.MayCreate:
		return Verdict{}, server.ErrMayNotCreate
	}
	return Verdict{Creates: true, Changes: true, Owner: e.Owner}, nil
}
