package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// answer is what goes back: an HTTP code and the envelope.
type answer struct {
	code     int
	envelope envelope
}

type envelope struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Value   any    `json:"value"`
	Version string `json:"version"`
}

// text is a value with one member.
type text map[string]string

func success(value any) answer {
	return answer{http.StatusOK, envelope{"OK", "success", value, Version}}
}

// refusal is an error that is answered as it is. Neither text may hold a token or a value.
type refusal struct {
	code    int
	message string // what is wrong
	value   any    // the same in short: a string, or an entryRefusal
}

func (e *refusal) Error() string { return e.message }

// entryRefusal is the value of a refusal for one entry of a batch.
type entryRefusal struct {
	Entry int    `json:"entry"` // which one, from 0
	Error string `json:"error"` // what is wrong with it, in short
}

// at says that the refusal is for entry i of a batch.
func (e *refusal) at(i int) *refusal {
	short, _ := e.value.(string)
	return &refusal{e.code, fmt.Sprintf("Entry %d: %s", i, e.message), entryRefusal{i, short}}
}

// answer is in the form of deployed heads, which have the word "status" where the status should be.
func (e *refusal) answer() answer {
	return answer{e.code, envelope{"status", e.message, e.value, Version}}
}

// refusal turns an error into an answer. What is not the client's doing is logged, and told without details.
func (h *Head) refusal(v *visit, err error) answer {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused.answer()
	}
	h.log.ErrorContext(v.Context(), "store failed", "call", v.call, "remote", v.RemoteAddr, "error", err)
	message := "The head's store failed"
	switch {
	case !changes(v.call):
	case errors.Is(err, ErrNoRoom):
		message = "The head's store has no room; nothing was changed"
	default:
		message += "; whether a change was made is unknown"
	}
	return (&refusal{http.StatusInternalServerError, message, "store failed"}).answer()
}

// left reports whether there is no answer because the client did not wait for it. Then none is sent, and the connection ends: over TLS
// a client says that it leaves before it closes, and what came back at that moment it might take for the head's answer.
func (h *Head) left(v *visit, err error) bool {
	if _, answered := errors.AsType[*refusal](err); answered || v.Context().Err() == nil && !errors.Is(err, errCutShort) {
		return false
	}
	h.log.DebugContext(v.Context(), "client left", "call", v.call, "remote", v.RemoteAddr)
	return true
}

// errCutShort is for a body that ends before it is whole, as that of a client does which leaves.
var errCutShort = errors.New("the body was cut short")

// codeLeft is what logs and metrics show of requests whose client did not wait for the answer, as web servers have it: those are no
// failures of the head.
const codeLeft = 499

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (a answer) send(w http.ResponseWriter) {
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(a.envelope); err != nil {
		panic(err) // strings and structs of strings always encode
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(a.code)
	w.Write(b.Bytes()) // a client that has gone needs no answer
}
