package server

import (
	"net/http"
	"path"
)

// call answers one request with the value of the envelope, or with an error: a *refusal or one of the store.
type call func(*Head, http.ResponseWriter, *visit) (value any, err error)

// endpoint is a path that a head serves.
type endpoint struct {
	method    string
	call      call
	extension bool // deployed heads do not have it
	changes   bool // whoever asks wants entries changed
}

var endpoints = map[string]endpoint{
	"/writeScope":     {method: http.MethodPost, call: (*Head).write, changes: true},
	"/readScope":      {method: http.MethodGet, call: (*Head).read},
	"/enumerateScope": {method: http.MethodGet, call: (*Head).enumerate},
	"/deleteScope":    {method: http.MethodDelete, call: (*Head).remove, changes: true},
	"/getVersion":     {method: http.MethodGet, call: (*Head).version},
	"/writeScopes":    {method: http.MethodPost, call: (*Head).writeMany, extension: true, changes: true},
	"/deleteScopes":   {method: http.MethodPost, call: (*Head).removeMany, extension: true, changes: true},
	"/watchScope":     {method: http.MethodGet, call: (*Head).watch, extension: true},
	"/openapi.json":   {method: http.MethodGet, call: (*Head).openAPI, extension: true},
}

// changes reports whether whoever makes the call wants entries changed.
func changes(call string) bool { return endpoints["/"+call].changes }

// route answers the request. Existing clients ask for //writeScope, and a redirect would turn their POST into a GET.
func (h *Head) route(w http.ResponseWriter, v *visit) (value any, err error) {
	at := path.Clean("/" + v.URL.Path)
	e, known := endpoints[at]
	if !known || e.extension && h.plain {
		return nil, &refusal{http.StatusNotFound, "No such call; heads answer writeScope, readScope, enumerateScope, deleteScope and getVersion", "not found"}
	}
	v.call = at[1:]
	if v.Method != e.method {
		w.Header().Set("Allow", e.method)
		return nil, &refusal{http.StatusMethodNotAllowed, "Request method not supported; use " + e.method, "method not allowed"}
	}
	if err := h.admit(w, v); err != nil {
		return nil, err
	}
	return e.call(h, w, v)
}
