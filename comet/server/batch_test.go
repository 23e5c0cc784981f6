package server_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// batched is one entry of a batch as a client sends it.
type batched map[string]any

// item is an entry in the family hostsall with the tokens of the tests; without a value it is one to remove.
func item(key, value string, more ...string) batched {
	b := batched{"family": "hostsall", "key": key, "readToken": readToken, "writeToken": writeToken}
	if value != "" {
		b["value"] = value
	}
	for i := 0; i < len(more); i += 2 {
		b[more[i]] = more[i+1]
	}
	return b
}

func batch(id string, entries ...batched) string {
	b, err := json.Marshal(map[string]any{"contextId": id, "entries": entries})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// refusedEntry requires a refusal that is about one entry.
func (a answer) refusedEntry(t *testing.T, code, entry int, message string) {
	t.Helper()
	require.Equal(t, code, a.code, a.raw)
	require.Equal(t, "status", a.Status)
	require.Equal(t, fmt.Sprintf("Entry %d: %s", entry, message), a.Message)
	var value struct {
		Entry *int
		Error string
	}
	require.NoError(t, json.Unmarshal(a.Value, &value))
	require.NotNil(t, value.Entry, a.raw)
	require.Equal(t, entry, *value.Entry)
	require.NotEmpty(t, value.Error)
}

// revs reads what a batch was answered with.
func (a answer) revs(t *testing.T, success string) (revs []string, created []bool) {
	t.Helper()
	require.Equal(t, 200, a.code, a.raw)
	var v struct {
		Success, ContextID string
		Entries            []struct {
			Created bool
			Rev     string
		}
	}
	require.NoError(t, json.Unmarshal(a.Value, &v))
	require.Equal(t, success, v.Success)
	require.Equal(t, "slice", v.ContextID)
	for _, e := range v.Entries {
		revs, created = append(revs, e.Rev), append(created, e.Created)
	}
	return revs, created
}

const (
	manyWritten = "Scopes written"
	manyDeleted = "Scopes deleted"
)

func (h *head) keys() []string {
	h.Helper()
	l, err := h.store.List(h.Context(), scope.MustName("slice", "x", "x").Context, scope.MustToken(readToken), scope.Family{})
	require.NoError(h, err)
	keys := []string{}
	for _, e := range l.Entries {
		keys = append(keys, e.Name.Key.String()+"="+e.Value)
	}
	return keys
}

func TestBatchesAreOneChange(t *testing.T) {
	h := start(t)
	c := h.client(trusted)
	revs, created := h.request(c, "POST", "//writeScopes", batch("slice", item("a", "1"), item("b", "<é>"), item("c", "1"))).revs(t, manyWritten)
	require.Equal(t, []bool{true, true, true}, created)
	require.Equal(t, revs[0], revs[1])
	require.Equal(t, revs[0], revs[2])
	require.Equal(t, []string{"a=1", "b=<é>", "c=1"}, h.keys())
	tag := h.request(c, "GET", "/readScope?"+query("contextID", "slice", "family", "hostsall", "Key", "a", "readToken", readToken), "").header.Get("ETag")
	require.Equal(t, `"`+revs[0]+`"`, tag)

	// Whoever has no certificate may change what is there, and what is the same keeps its revision.
	next, created := h.request(h.client(nobody), "POST", "/writeScopes", batch("slice", item("a", "1"), item("b", "2"))).revs(t, manyWritten)
	require.Equal(t, []bool{false, false}, created)
	require.Equal(t, revs[0], next[0])
	require.NotEqual(t, revs[0], next[1])

	removed, _ := h.request(c, "POST", "/deleteScopes", batch("slice", item("a", ""), item("b", ""))).revs(t, manyDeleted)
	require.Equal(t, removed[0], removed[1])
	require.Equal(t, []string{"c=1"}, h.keys())
	h.noSecrets("<é>")
}

func TestBatchesAreRefusedWhole(t *testing.T) {
	h := start(t)
	c := h.client(trusted)
	h.request(c, "POST", "/writeScopes", batch("slice", item("a", "1"), item("b", "1"))).revs(t, manyWritten)
	for what, r := range map[string]struct {
		who, path string
		entries   []batched
		code      int
		entry     int
		message   string
	}{
		"wrong write token":      {trusted, "/writeScopes", []batched{item("a", "2"), item("b", "2", "writeToken", otherToken)}, 403, 1, badWriter},
		"certificate":            {nobody, "/writeScopes", []batched{item("a", "2"), item("new", "2")}, 403, 1, unauthorized},
		"wrong read token":       {nobody, "/writeScopes", []batched{item("a", "2"), item("b", "2", "readToken", otherToken)}, 403, 1, unauthorized},
		"removal of nothing":     {trusted, "/deleteScopes", []batched{item("a", ""), item("new", "")}, 404, 1, "Failed to delete scope: no such entry"},
		"removal, write token":   {trusted, "/deleteScopes", []batched{item("a", ""), item("b", "", "writeToken", otherToken)}, 403, 1, "Cannot delete scope: incorrect write token"},
		"equal tokens":           {trusted, "/writeScopes", []batched{item("a", "2"), item("new", "2", "writeToken", readToken)}, 400, 1, sameTokens},
		"the same entry twice":   {trusted, "/writeScopes", []batched{item("a", "2"), item("b", "2"), item("a", "3")}, 400, 2, "This is entry 0 again"},
		"no value":               {trusted, "/writeScopes", []batched{item("a", "")}, 400, 0, "Member 'value' is missing or empty"},
		"a value in a removal":   {trusted, "/deleteScopes", []batched{item("a", "1")}, 400, 0, "Member 'value' has no place in a removal"},
		"no key":                 {trusted, "/writeScopes", []batched{item("", "1")}, 400, 0, "Member 'key' is empty"},
		"no family":              {trusted, "/writeScopes", []batched{item("a", "1", "family", "")}, 400, 0, "Member 'family' is empty"},
		"no read token":          {trusted, "/writeScopes", []batched{item("a", "1", "readToken", "")}, 400, 0, "Member 'readToken' is empty"},
		"a write token too long": {trusted, "/writeScopes", []batched{item("a", "1"), item("b", "1", "writeToken", strings.Repeat("x", 1025))}, 400, 1, "Member 'writeToken' is longer than 1024 bytes"},
	} {
		t.Run(what, func(t *testing.T) {
			h.request(h.client(r.who), "POST", r.path, batch("slice", r.entries...)).refusedEntry(t, r.code, r.entry, r.message)
			require.Equal(t, []string{"a=1", "b=1"}, h.keys())
		})
	}
	h.request(h.client(nobody), "POST", "/deleteScopes", batch("slice", item("a", ""))).refused(t, 403, unauthorized)
	strong := start(t, server.WithStrongTokens())
	strong.request(strong.client(trusted), "POST", "/writeScopes", batch("slice", item("a", "1", "readToken", "weak"))).refusedEntry(t, 400, 0, "Read token not strong enough")
	require.Equal(t, []string{"a=1", "b=1"}, h.keys())
	h.noSecrets()
}

func TestBatchConditions(t *testing.T) {
	h := start(t)
	c := h.client(trusted)
	const first = "The entry is not as the request expects it: somebody else was first"
	revs, _ := h.request(c, "POST", "/writeScopes", batch("slice", item("a", "1", "ifNoneMatch", "*"), item("b", "1"))).revs(t, manyWritten)
	h.request(c, "POST", "/writeScopes", batch("slice", item("b", "2"), item("a", "2", "ifNoneMatch", "*"))).refusedEntry(t, 412, 1, first)
	next, _ := h.request(c, "POST", "/writeScopes", batch("slice", item("a", "2", "ifMatch", revs[0]), item("c", "1", "ifNoneMatch", "*"))).revs(t, manyWritten)
	for _, stale := range []string{revs[0], "elsewhere.1", "x", "*", h.store.Identity() + ".0"} {
		h.request(c, "POST", "/writeScopes", batch("slice", item("b", "2"), item("a", "3", "ifMatch", stale))).refusedEntry(t, 412, 1, first)
		h.request(c, "POST", "/deleteScopes", batch("slice", item("b", ""), item("a", "", "ifMatch", stale))).refusedEntry(t, 412, 1, first)
	}
	h.request(c, "POST", "/writeScopes", batch("slice", item("a", "3", "ifNoneMatch", next[0]))).refusedEntry(t, 400, 0, "If-None-Match of a change can only be *")
	h.request(c, "POST", "/deleteScopes", batch("slice", item("b", ""), item("a", "", "ifMatch", `"`+next[0]+`"`))).revs(t, manyDeleted)
	require.Equal(t, []string{"c=1"}, h.keys())
}

func TestBatchesThatMakeNoSense(t *testing.T) {
	h := start(t)
	c := h.client(trusted)
	const nonsense = "The body is not the JSON of a batch, or has members that a batch does not have"
	good := batch("slice", item("a", "1"))
	for what, r := range map[string]struct {
		body, message string
		code          int
	}{
		"nothing":              {"", "Required request body is missing", 400},
		"text":                 {"Planted", nonsense, 400},
		"half":                 {good[:len(good)-3], nonsense, 400},
		"more":                 {good + "{}", nonsense, 400},
		"a list":               {"[" + good + "]", nonsense, 400},
		"another member":       {`{"contextID":"slice","Planted":1,"entries":[]}`, nonsense, 400},
		"a mistyped condition": {batch("slice", item("a", "1", "if-match", "x.1")), nonsense, 400},
		"a number for a value": {`{"contextId":"slice","entries":[{"value":17}]}`, nonsense, 400},
		"not UTF-8":            {"{\"contextId\":\"\xff\"}", "The batch is not valid UTF-8", 400},
		"no entries":           {batch("slice"), "The batch has no entries", 400},
		"no context":           {batch("", item("a", "1")), "Member 'contextId' is empty", 400},
		"too long":             {batch("slice", item("a", strings.Repeat("x", server.MaxValue))), "The batch is longer than 1048576 bytes", 413},
	} {
		t.Run(what, func(t *testing.T) {
			for _, path := range []string{"/writeScopes", "/deleteScopes"} {
				h.request(c, "POST", path, r.body).refused(t, r.code, r.message)
			}
		})
	}
	h.request(c, "POST", "/writeScopes", `{"contextId":"slice","entries":[null]}`).refusedEntry(t, 400, 0, "Member 'family' is empty")
	require.Empty(t, h.keys())
	h.noSecrets()
}

// What a head announces as its limit it takes, and one more it does not.
func TestBatchLimit(t *testing.T) {
	h := start(t)
	c := h.client(trusted)
	var v struct {
		Extensions []string `json:"Comet extensions"`
	}
	require.NoError(t, json.Unmarshal(h.request(c, "GET", "/getVersion", "").Value, &v))
	limit := 0
	for _, e := range v.Extensions {
		if n, found := strings.CutPrefix(e, "batch/1;max="); found {
			var err error
			limit, err = strconv.Atoi(n)
			require.NoError(t, err)
		}
	}
	require.NotZero(t, limit)
	var entries []batched
	for i := range limit {
		entries = append(entries, item(fmt.Sprint(i), "1"))
	}
	over := append(slices.Clone(entries), item("more", "1"))
	h.request(c, "POST", "/writeScopes", batch("slice", over...)).refused(t, 413, fmt.Sprintf("The batch has more than %d entries", limit))
	require.Empty(t, h.keys())
	h.request(c, "POST", "/writeScopes", batch("slice", entries...)).revs(t, manyWritten)
	require.Len(t, h.keys(), limit)
}

// A body as long as bodies may be costs a few times its length, whatever is in it.
func TestBatchesOfNothingCostNoMoreThanTheirBytes(t *testing.T) {
	h := start(t)
	c := h.client(nobody)
	for _, entry := range []string{"{},", "null,", `{"value":""},`} {
		list := strings.Repeat(entry, (server.MaxValue-100)/len(entry))
		body := `{"contextId":"slice","entries":[` + strings.TrimSuffix(list, ",") + `]}`
		before := allocated()
		h.request(c, "POST", "/writeScopes", body).refused(t, 413, "The batch has more than 40 entries")
		require.Less(t, allocated()-before, uint64(20*server.MaxValue), entry)
	}
}

// allocated is how many bytes this process ever asked for.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
