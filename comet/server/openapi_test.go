package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
)

// api is the document that a head serves.
type api struct {
	*testing.T
	doc  map[string]any
	seen map[string]bool // "METHOD path code" that were answered
}

// at follows names into the document, and references where it meets them.
func (a *api) at(node any, names ...string) any {
	a.Helper()
	for _, n := range append(names, "") {
		m, ok := node.(map[string]any)
		if !ok {
			return node
		}
		if ref, ok := m["$ref"].(string); ok {
			node = a.at(a.doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			m, _ = node.(map[string]any)
		}
		if n != "" {
			node = m[n]
		}
	}
	return node
}

// valid says what of a value is not as the schema says, in those words of JSON Schema that the document uses; others fail.
func (a *api) valid(schema, value any, where string) error {
	s := a.at(schema).(map[string]any)
	for word := range s {
		if !slices.Contains([]string{"type", "const", "properties", "required", "additionalProperties", "items", "anyOf", "minLength", "maxLength", "minItems", "maxItems", "minimum", "description", "format"}, word) {
			return fmt.Errorf("%s: the test does not know %q", where, word)
		}
	}
	if want, ok := s["const"]; ok && want != value {
		return fmt.Errorf("%s is %v, not %v", where, value, want)
	}
	if choices, ok := s["anyOf"].([]any); ok {
		var last error
		for _, c := range choices {
			if last = a.valid(c, value, where); last == nil {
				return nil
			}
		}
		return fmt.Errorf("%s is none of the choices: %w", where, last)
	}
	switch value := value.(type) {
	case map[string]any:
		return a.validObject(s, value, where)
	case []any:
		if s["type"] != "array" {
			return fmt.Errorf("%s is an array", where)
		}
		for i, v := range value {
			if err := a.valid(s["items"], v, fmt.Sprintf("%s[%d]", where, i)); err != nil {
				return err
			}
		}
	case string:
		if s["type"] != nil && s["type"] != "string" {
			return fmt.Errorf("%s is a string", where)
		}
		if s["format"] == "date-time" {
			_, err := time.Parse(time.RFC3339, value)
			return err
		}
	case bool:
		if s["type"] != "boolean" {
			return fmt.Errorf("%s is a boolean", where)
		}
	case float64:
		if s["type"] != "integer" || value != float64(int(value)) {
			return fmt.Errorf("%s is a number", where)
		}
	default:
		return fmt.Errorf("%s is %v", where, value)
	}
	return nil
}

func (a *api) validObject(s, value map[string]any, where string) error {
	if s["type"] != "object" {
		return fmt.Errorf("%s is an object", where)
	}
	for _, name := range s["required"].([]any) {
		if _, ok := value[name.(string)]; !ok {
			return fmt.Errorf("%s has no %s", where, name)
		}
	}
	for name, v := range value {
		p, ok := s["properties"].(map[string]any)[name]
		if !ok {
			return fmt.Errorf("%s has %s, which is not described", where, name)
		}
		if err := a.valid(p, v, where+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// answered holds an answer against the document.
func (a *api) answered(method, path string, response *http.Response) {
	a.Helper()
	body, err := io.ReadAll(response.Body)
	require.NoError(a, err)
	what := fmt.Sprintf("%s %s %d", method, path, response.StatusCode)
	described := a.at(a.doc, "paths", path, strings.ToLower(method), "responses", fmt.Sprint(response.StatusCode))
	require.NotNil(a, described, "%s is not described: %s", what, body)
	a.seen[what] = true
	for name := range headersOf(a.at(described, "headers")) {
		require.NotEmpty(a, response.Header.Get(name), "%s has no %s", what, name)
	}
	if len(body) == 0 {
		require.Nil(a, a.at(described, "content"), what)
		return
	}
	var value any
	require.NoError(a, json.Unmarshal(body, &value))
	schema := a.at(described, "content", "application/json", "schema")
	require.NotNil(a, schema, what)
	require.NoError(a, a.valid(schema, value, "answer"), "%s: %s", what, body)
}

func headersOf(v any) map[string]any {
	m, _ := v.(map[string]any)
	delete(m, "ETag") // not where nothing is there
	return m
}

// Everything that the document describes is answered so, but for what is not easily brought about.
func TestOpenAPI(t *testing.T) {
	h := start(t, server.WithOwners(), server.WithLimits(server.Limits{Entries: 3}))
	c := h.client(trusted)
	response, err := c.Get("https://" + h.addr + "/openapi.json")
	require.NoError(t, err)
	a := &api{T: t, seen: map[string]bool{"GET /openapi.json 200": true}}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&a.doc))
	response.Body.Close()
	require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	require.Equal(t, "3.1.0", a.doc["openapi"])

	rev := ""
	do := func(who, method, path, query, body string, header ...string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "https://"+h.addr+path+"?"+query, strings.NewReader(body))
		require.NoError(t, err)
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		response, err := h.client(who).Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		if tag := response.Header.Get("ETag"); tag != "" {
			rev = tag
		}
		a.answered(method, path, response)
	}
	both, wrong := entry(readToken, writeToken), entry(readToken, otherToken)
	slice := query("contextID", "slice", "readToken", readToken)
	do(trusted, "POST", "/writeScope", both, "1")
	first := rev
	do(trusted, "POST", "/writeScope", both, "1")
	do(nobody, "POST", "/writeScope", wrong, "1")
	do(nobody, "POST", "/writeScope", entry(otherToken, writeToken), "1")
	do(nobody, "POST", "/writeScope", both, "2", "If-None-Match", "*")
	do(nobody, "POST", "/writeScope", both, strings.Repeat("x", server.MaxValue+1))
	do(nobody, "GET", "/readScope", both, "")
	do(nobody, "GET", "/readScope", both, "", "If-None-Match", rev)
	do(nobody, "GET", "/readScope", entry(otherToken, ""), "")
	do(nobody, "GET", "/readScope", entry("", ""), "")
	for _, q := range []string{slice, slice + "&family=hostsall", query("contextID", "slice", "readToken", otherToken)} {
		do(nobody, "GET", "/enumerateScope", q, "")
	}
	do(nobody, "GET", "/enumerateScope", slice, "")
	do(nobody, "GET", "/enumerateScope", slice, "", "If-None-Match", rev)
	do(nobody, "GET", "/enumerateScope", "", "")
	do(nobody, "GET", "/getVersion", "", "")
	do(trusted, "POST", "/writeScopes", "", batch("slice", item("a", "1"), item("b", "1")))
	do(trusted, "POST", "/writeScopes", "", batch("slice", item("a", "1"), item("c", "1")))
	do(nobody, "POST", "/writeScopes", "", batch("slice", item("c", "1")))
	do(nobody, "POST", "/writeScopes", "", batch("slice", item("a", "1", "ifNoneMatch", "*")))
	do(nobody, "POST", "/writeScopes", "", "{}")
	do(nobody, "GET", "/watchScope", query("contextID", "slice"), "", "Comet-Read-Token", readToken)
	do(nobody, "GET", "/watchScope", query("contextID", "slice", "family", "hostsall", "since", strings.Trim(first, `"`)), "", "Comet-Read-Token", readToken)
	do(nobody, "GET", "/watchScope", slice, "")
	do(trusted, "POST", "/deleteScopes", "", batch("slice", item("a", "", "ifMatch", first)))
	do(trusted, "POST", "/deleteScopes", "", batch("slice", item("a", "")))
	do(trusted, "POST", "/deleteScopes", "", batch("slice", item("a", "")))
	do(nobody, "POST", "/deleteScopes", "", batch("slice", item("b", "")))
	do(nobody, "POST", "/deleteScopes", "", batch("slice"))
	do(trusted, "POST", "/deleteScopes", "", strings.Repeat("x", server.MaxValue+1))
	do(nobody, "GET", "/watchScope", query("contextID", "slice", "since", strings.Trim(first, `"`)), "", "Comet-Read-Token", readToken)
	do(nobody, "DELETE", "/deleteScope", both, "")
	do(trusted, "DELETE", "/deleteScope", wrong, "")
	do(trusted, "DELETE", "/deleteScope", both, "", "If-Match", `"x.1"`)
	h.own("CN=another", "owned")
	do(trusted, "DELETE", "/deleteScope", query("contextID", "slice", "family", "hostsall", "Key", "owned", "readToken", readToken, "writeToken", writeToken), "")
	do(trusted, "DELETE", "/deleteScope", both, "")
	do(trusted, "DELETE", "/deleteScope", both, "")
	a.refusals(h)

	var undone, described []string
	for path, methods := range a.doc["paths"].(map[string]any) {
		for method := range methods.(map[string]any) {
			described = append(described, strings.ToUpper(method)+" "+path)
			for code := range a.at(methods, method, "responses").(map[string]any) {
				if what := strings.ToUpper(method) + " " + path + " " + code; !a.seen[what] && code != "429" && code != "500" && code != "503" {
					undone = append(undone, what)
				}
			}
		}
	}
	require.Empty(t, undone, "described and never answered")
	require.ElementsMatch(t, server.Endpoints(), described)
}

// refusals brings about what is not about one call: limits and a store that fails.
func (a *api) refusals(h *head) {
	a.Helper()
	for _, other := range []*head{
		start(a.T, server.WithLimits(server.Limits{Requests: 1})),
		startOn(a.T, failing{brokenStore{}}),
	} {
		c := other.client(nobody)
		for path, methods := range a.doc["paths"].(map[string]any) {
			for method := range methods.(map[string]any) {
				for range 4 {
					body := ""
					if method == "post" {
						body = batch("slice", item("a", "1"))
					}
					if path == "/writeScope" {
						body = "1"
					}
					r, err := http.NewRequestWithContext(a.Context(), strings.ToUpper(method), "https://"+other.addr+path+"?"+url.Values{"contextID": {"slice"}, "family": {"f"}, "Key": {"k"}}.Encode(), strings.NewReader(body))
					require.NoError(a, err)
					r.Header.Set("Comet-Read-Token", readToken)
					r.Header.Set("Comet-Write-Token", writeToken)
					response, err := c.Do(r)
					require.NoError(a, err)
					if path != "/openapi.json" || response.StatusCode != 200 {
						a.answered(strings.ToUpper(method), path, response)
					}
					response.Body.Close()
				}
			}
		}
	}
	require.True(a, a.seen["GET /readScope 429"] && a.seen["GET /readScope 500"], slices.Sorted(maps.Keys(a.seen)))
}

// failing is a store that has a name and fails otherwise.
type failing struct{ brokenStore }

func (failing) Identity() string { return "failing" }
func (failing) Close() error     { return nil }
