package server

import (
	"net/http"
	"path"
)

// call answers one request with the value of the envelope, or with an error: a *refusal or one of the store.
type call func(*Head, http.ResponseWriter, *http.Request) (value any, err error)

// endpoint is a path that a head serves.
type endpoint struct {
	method string
	call   call
}

var endpoints = map[string]endpoint{
	"/writeScope":     {http.MethodPost, (*Head).write},
	"/readScope":      {http.MethodGet, (*Head).read},
	"/enumerateScope": {http.MethodGet, (*Head).enumerate},
	"/deleteScope":    {http.MethodDelete, (*Head).remove},
	"/getVersion":     {http.MethodGet, (*Head).version},
}

// route answers the request. Existing clients ask for //writeScope, and a redirect would turn their POST into a GET.
func (h *Head) route(w http.ResponseWriter, r *http.Request) (name string, value any, err error) {
	at := path.Clean("/" + r.URL.Path)
	e, known := endpoints[at]
	if !known {
		return "unknown", nil, &refusal{http.StatusNotFound, "No such call; heads answer writeScope, readScope, enumerateScope, deleteScope and getVersion", "not found"}
	}
	if r.Method != e.method {
		w.Header().Set("Allow", e.method)
		return at[1:], nil, &refusal{http.StatusMethodNotAllowed, "Request method not supported; use " + e.method, "method not allowed"}
	}
	value, err = e.call(h, w, r)
	return at[1:], value, err
}
