package server

import (
	_ "embed"
	"net/http"
	"strconv"
)

// openAPI describes the calls for programs and people. A test holds it against what heads answer.
//
//go:embed openapi.json
var openAPI []byte

// document is answered as it is, without the envelope.
type document []byte

func (h *Head) openAPI(http.ResponseWriter, *visit) (any, error) { return document(openAPI), nil }

func (d document) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(d)))
	w.Write(d) // a client that has gone needs no answer
}
