package server

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// The query parameters.
const (
	paramContext = "contextID"
	paramFamily  = "family"
	paramKey     = "Key"
	paramRead    = "readToken"
	paramWrite   = "writeToken"
)

// ask is what a request asks for. The first thing wrong with it stays in err, and what comes after it is of no meaning.
type ask struct {
	about  *visit
	query  url.Values
	header http.Header // empty where the head offers no extensions
	err    error
}

// parse reads the query. Its errors quote nothing of it: tokens are in there.
func (h *Head) parse(v *visit) *ask {
	query, err := url.ParseQuery(v.URL.RawQuery)
	if err != nil {
		return &ask{about: v, err: errQuery}
	}
	a := &ask{about: v, query: query}
	if !h.plain {
		a.header = v.Header
		a.takeToken(headerRead, paramRead)
		a.takeToken(headerWrite, paramWrite)
	}
	return a
}

// The headers that may carry the tokens, percent-encoded, in place of the query, which proxies log.
const (
	headerRead  = "Comet-Read-Token"
	headerWrite = "Comet-Write-Token"
)

// takeToken lets a token of the header stand as if it were in the query. Header and query that differ are an error.
func (a *ask) takeToken(header, param string) {
	values := a.header.Values(header)
	if len(values) == 0 {
		return
	}
	token, err := url.PathUnescape(values[0])
	if err != nil || len(values) > 1 {
		a.fail(bad("Header '"+header+"' is not one percent-encoded token", "invalid header"))
		return
	}
	for _, other := range a.query[param] {
		if other != token {
			a.fail(bad("Header '"+header+"' and parameter '"+param+"' differ", "invalid parameter"))
			return
		}
	}
	a.query[param] = []string{token}
}

var errQuery = bad("The query is not URL-encoded parameters joined by &", "invalid query")

func bad(message, value string) *refusal { return &refusal{http.StatusBadRequest, message, value} }

func (a *ask) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// gives reports whether the parameter is there, and more than its name.
func (a *ask) gives(param string) bool { return strings.Join(a.query[param], "") != "" }

// text returns a parameter that must be there, once.
func (a *ask) text(param string) string {
	values := a.query[param]
	if len(values) == 0 {
		a.fail(bad("Required String parameter '"+param+"' is not present", "missing parameter"))
		return ""
	}
	for _, other := range values[1:] {
		if other != values[0] {
			a.fail(bad("Parameter '"+param+"' is there more than once, with different values", "invalid parameter"))
		}
	}
	return values[0]
}

// take parses a parameter that must be there.
func take[T any](a *ask, param string, parse func(string) (T, error)) T {
	s := a.text(param)
	if a.err != nil {
		var none T
		return none
	}
	v, err := parse(s)
	if e, ok := errors.AsType[*scope.NameError](err); ok {
		a.fail(bad("Parameter '"+param+"' "+e.Reason, "invalid parameter"))
	}
	return v
}

func (a *ask) context() scope.ContextID {
	id := take(a, paramContext, scope.ParseContextID)
	a.about.context = id
	return id
}

func (a *ask) name() scope.Name {
	n := scope.Name{
		Context: a.context(),
		Family:  take(a, paramFamily, scope.ParseFamily),
		Key:     take(a, paramKey, scope.ParseKey),
	}
	if a.err == nil {
		a.about.names = []scope.Name{n}
	}
	return n
}

func (a *ask) readToken() scope.Token { return take(a, paramRead, scope.ParseToken) }

func (a *ask) tokens() scope.Tokens {
	return scope.Tokens{Read: a.readToken(), Write: take(a, paramWrite, scope.ParseToken)}
}
