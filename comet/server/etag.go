package server

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// A tag says which state of an entry, or of all that a token shows in a context, an answer is about: the store's identity and a
// revision. Clients compare tags and send them back; they do not look into them.

// tag sets the answer's tag.
func (h *Head) tag(w http.ResponseWriter, revision uint64) {
	if !h.plain {
		w.Header().Set("ETag", `"`+h.rev(revision)+`"`)
	}
}

// rev is a tag without its quotes, as it stands in JSON.
func (h *Head) rev(revision uint64) string {
	return h.store.Identity() + "." + strconv.FormatUint(revision, 10)
}

// errNotModified is answered with 304 and nothing else.
var errNotModified = errors.New("not modified")

// has reports whether the client says that it has the state of this tag already.
func (a *ask) has(tag string) bool {
	for known := range strings.SplitSeq(a.header.Get("If-None-Match"), ",") {
		if known = strings.TrimPrefix(strings.TrimSpace(known), "W/"); known != "" && known == tag {
			return true
		}
	}
	return false
}

var errPrecondition = &refusal{http.StatusPreconditionFailed, "The entry is not as the request expects it: somebody else was first", "precondition failed"}

// condition takes the header's conditions into the change. One that is empty, or there twice, is not taken for none.
func (h *Head) condition(a *ask, c *Change) error {
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if lines := a.header.Values(name); len(lines) > 1 || len(lines) == 1 && strings.TrimSpace(lines[0]) == "" {
			return bad("Header '"+name+"' is not one condition", "invalid condition")
		}
	}
	return h.conditions(a.header.Get("If-Match"), a.header.Get("If-None-Match"), c)
}

// conditions takes If-Match, which is one tag, and If-None-Match, which is *, into the change.
func (h *Head) conditions(match, none string, c *Change) error {
	if match != "" {
		revision, ours := h.revisionOf(match)
		if !ours || revision == 0 { // the first entry has revision 1
			return errPrecondition
		}
		c.IfRevision = revision
	}
	switch none {
	case "":
	case "*":
		c.IfAbsent = true
	default:
		return bad("If-None-Match of a change can only be *", "invalid condition")
	}
	return nil
}

// revisionOf reads a tag of this store, with or without its quotes.
func (h *Head) revisionOf(tag string) (revision uint64, ours bool) {
	identity, number, _ := strings.Cut(strings.Trim(strings.TrimSpace(tag), `"`), ".")
	revision, err := strconv.ParseUint(number, 10, 64)
	return revision, err == nil && identity == h.store.Identity()
}
