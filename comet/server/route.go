package server

import (
	"net/http"
	"path"
)

// call answers one request with the value of the envelope, or with an error: a *refusal or one of the store.
type call func(*Head, http.ResponseWriter, *http.Request) (value any, err error)

// endpoint is a path that a head serves.
type endpoint struct {
	method    string
	call      call
	extension bool // deployed heads do not have it
}

var endpoints = map[string]endpoint{
	"/writeScope":     {method: http.MethodPost, call: (*Head).write},
	"/readScope":      {method: http.MethodGet, call: (*Head).read},
	"/enumerateScope": {method: http.MethodGet, call: (*Head).enumerate},
	"/deleteScope":    {method: http.MethodDelete, call: (*Head).remove},
	"/getVersion":     {method: http.MethodGet, call: (*Head).version},
	"/writeScopes":    {method: http.MethodPost, call: (*Head).writeMany, extension: true},
	"/deleteScopes":   {method: http.MethodPost, call: (*Head).removeMany, extension: true},
	"/watchScope":     {method: http.MethodGet, call: (*Head).watch, extension: true},
}

// route answers the request. Existing clients ask for //writeScope, and a redirect would turn their POST into a GET.
func (h *Head) route(w http.ResponseWriter, r *http.Request) (name string, value any, err error) {
	at := path.Clean("/" + r.URL.Path)
	e, known := endpoints[at]
	if !known || e.extension && h.plain {
		return "unknown", nil, &refusal{http.StatusNotFound, "No such call; heads answer writeScope, readScope, enumerateScope, deleteScope and getVersion", "not found"}
	}
	if r.Method != e.method {
		w.Header().Set("Allow", e.method)
		return at[1:], nil, &refusal{http.StatusMethodNotAllowed, "Request method not supported; use " + e.method, "method not allowed"}
	}
	value, err = e.call(h, w, r)
	return at[1:], value, err
}
