package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
)

const (
	written  = `{"Success":"success, added Accumulo row: slice to table: comet","created":false}`
	created  = `{"Success":"success, added Accumulo row: slice to table: comet","created":true}`
	deleted  = `{"Success":"Scope deleted"}`
	noEntry  = `{"error":"Failed to delete scope: no such entry"}`
	notYours = `{"error":"Cannot delete scope: incorrect write token"}`

	unauthorized = "Invalid certificate: Unauthorized client"
	badWriter    = "Cannot write scope: incorrect write token"
	sameTokens   = "Invalid tokens: read and write token cannot be the same"
)

func TestTheFiveCalls(t *testing.T) {
	h := start(t)
	c := h.client(trusted)
	both := entry(readToken, writeToken)
	slice := query("contextID", "slice", "readToken", readToken)

	h.request(c, "GET", "/readScope?"+entry(readToken, ""), "").ok(t, `{}`)
	h.request(c, "GET", "/enumerateScope?"+slice, "").ok(t, `{"contextId":"slice","entries":[]}`)
	h.request(c, "GET", "/enumerateScope?"+slice+"&family=hostsall", "").ok(t, `{"contextId":"slice","family":"hostsall","entries":[]}`)
	h.request(c, "POST", "/writeScope?"+both, `{"val_":"[{\"ip\":\"<é>\"}]"}`).ok(t, created)
	h.request(c, "POST", "/writeScope?"+both, `""`).ok(t, written)
	h.request(c, "POST", "/writeScope?"+both, `{"val_":"[{\"ip\":\"<é>\"}]"}`).ok(t, written)
	const held = `"value":"{\"val_\":\"[{\\\"ip\\\":\\\"<é>\\\"}]\"}"`
	h.request(c, "GET", "/readScope?"+entry(readToken, ""), "").ok(t, `{"contextId":"slice","family":"hostsall","key":"vm",`+held+`}`)
	h.request(c, "GET", "/enumerateScope?"+slice, "").ok(t, `{"contextId":"slice","entries":[{"family":"hostsall","key":"vm",`+held+`}]}`)
	h.request(c, "GET", "/enumerateScope?"+slice+"&family=", "").ok(t, `{"contextId":"slice","entries":[{"family":"hostsall","key":"vm",`+held+`}]}`)
	h.request(c, "GET", "/enumerateScope?"+slice+"&family=hostsall", "").ok(t, `{"contextId":"slice","family":"hostsall","entries":[{"key":"vm",`+held+`}]}`)
	h.request(c, "GET", "/enumerateScope?"+slice+"&family=hosts", "").ok(t, `{"contextId":"slice","family":"hosts","entries":[]}`)
	h.request(c, "DELETE", "/deleteScope?"+both, "").ok(t, deleted)
	h.request(c, "GET", "/readScope?"+entry(readToken, ""), "").ok(t, `{}`)
	h.request(c, "DELETE", "/deleteScope?"+both, "").ok(t, noEntry)
	h.request(c, "GET", "/getVersion", "").ok(t, `{"Comet version":"1.0.5","Comet API version":"1.0.0","Comet extensions":["headers/1","etag/1","batch/1;max=40","watch/1"],"Comet store":"`+h.store.Identity()+`"}`)
	h.noSecrets("<é>")
}

// Existing clients have a slash at the end of the head's name and one at the beginning of the call.
func TestPathsAreCleanedAndServedAtOnce(t *testing.T) {
	h := start(t)
	c := h.client(trusted)
	for _, path := range []string{"//writeScope", "/writeScope", "/writeScope/", "///writeScope//", "/./writeScope", "/x/../writeScope", "/%2FwriteScope"} {
		a := h.request(c, "POST", path+"?"+entry(readToken, writeToken), path)
		require.Equal(t, http.StatusOK, a.code, path)
		require.Empty(t, a.header.Get("Location"))
		require.Equal(t, path, h.value())
	}
	for _, path := range []string{"//readScope?" + entry(readToken, ""), "//enumerateScope?" + entry(readToken, ""), "//getVersion"} {
		require.Equal(t, http.StatusOK, h.request(c, "GET", path, "").code, path)
	}
	h.request(c, "DELETE", "//deleteScope?"+entry(readToken, writeToken), "").ok(t, deleted)
}

func TestUnknownCallsAndMethods(t *testing.T) {
	h := start(t)
	c := h.client(trusted)
	for _, path := range []string{"/", "/writescope", "/ReadScope", "/readScope/x", "/metrics", "/x/readScope"} {
		a := h.request(c, "GET", path+"?"+entry(readToken, writeToken), "")
		require.Equal(t, http.StatusNotFound, a.code, path)
		require.Equal(t, "status", a.Status)
	}
	for path, right := range map[string]string{"writeScope": "POST", "readScope": "GET", "enumerateScope": "GET", "deleteScope": "DELETE", "getVersion": "GET", "writeScopes": "POST", "deleteScopes": "POST", "watchScope": "GET"} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			if method == right {
				continue
			}
			a := h.request(c, method, "/"+path+"?"+entry(readToken, writeToken), "")
			a.refused(t, http.StatusMethodNotAllowed, "Request method not supported; use "+right)
			require.Equal(t, right, a.header.Get("Allow"))
		}
	}
	require.Empty(t, h.value())
}

func TestAnyAcceptIsServed(t *testing.T) {
	h := start(t)
	h.put("one")
	for _, accept := range []string{"", "*/*", "application/json", "text/html", "nonsense"} {
		r, err := http.NewRequest("GET", "https://"+h.addr+"/readScope?"+entry(readToken, ""), nil)
		require.NoError(t, err)
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		response, err := h.client(nobody).Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode, accept)
		require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	}
}

func TestParameters(t *testing.T) {
	h := start(t)
	c := h.client(trusted)
	all := []string{"contextID", "family", "Key", "readToken", "writeToken"}
	values := map[string]string{"contextID": "slice", "family": "hostsall", "Key": "vm", "readToken": readToken, "writeToken": writeToken}
	calls := []struct {
		method, path, body string
		needs              []string
	}{
		{"POST", "/writeScope", "x", all},
		{"DELETE", "/deleteScope", "", all},
		{"GET", "/readScope", "", all[:4]},
		{"GET", "/enumerateScope", "", []string{"contextID", "readToken"}},
	}
	for _, call := range calls {
		for _, needed := range call.needs {
			with := func(value ...string) string {
				var q []string
				for _, p := range all {
					if p != needed {
						q = append(q, p, values[p])
					}
				}
				for _, v := range value {
					q = append(q, needed, v)
				}
				return call.path + "?" + query(q...)
			}
			what := call.path + " " + needed
			h.request(c, call.method, with(), call.body).refused(t, 400, "Required String parameter '"+needed+"' is not present")
			h.request(c, call.method, with(""), call.body).refused(t, 400, "Parameter '"+needed+"' is empty")
			h.request(c, call.method, with("a\nb"), call.body).refused(t, 400, "Parameter '"+needed+"' has a control character (U+000A)")
			h.request(c, call.method, with("\xff"), call.body).refused(t, 400, "Parameter '"+needed+"' is not valid UTF-8")
			h.request(c, call.method, with(strings.Repeat("x", 1025)), call.body).refused(t, 400, "Parameter '"+needed+"' is longer than 1024 bytes")
			h.request(c, call.method, with("Planted-1", "Planted-2"), call.body).refused(t, 400, "Parameter '"+needed+"' is there more than once, with different values")
			require.Equal(t, 200, h.request(c, call.method, with(values[needed], values[needed]), call.body).code, what)
			longest := 200
			if call.path == "/writeScope" && needed == "writeToken" {
				longest = 403 // a good token, but not the entry's
			}
			require.Equal(t, longest, h.request(c, call.method, with(strings.Repeat("é", 512)), call.body).code, what)
		}
	}
	for _, broken := range []string{"contextID=%zz", "contextID=a;family=b", "%"} {
		h.request(c, "GET", "/readScope?"+entry(readToken, "")+"&"+broken, "").refused(t, 400, "The query is not URL-encoded parameters joined by &")
	}
	h.request(c, "GET", "/enumerateScope?"+query("contextID", "slice", "readToken", readToken, "family", "", "family", "x"), "").
		refused(t, 400, "Parameter 'family' is there more than once, with different values")
	h.noSecrets()
}

func TestValues(t *testing.T) {
	h := start(t)
	c := h.client(trusted)
	path := "/writeScope?" + entry(readToken, writeToken)
	h.request(c, "POST", path, "").refused(t, 400, "Required request body is missing")
	h.request(c, "POST", path, "Planted \xff").refused(t, 400, "The value is not valid UTF-8")
	h.request(c, "POST", path, strings.Repeat("x", server.MaxValue+1)).refused(t, 413, "The value is longer than 1048576 bytes")
	require.Empty(t, h.value())
	for _, v := range []string{" ", "\x00", "not JSON", strings.Repeat("x", server.MaxValue)} {
		require.Equal(t, 200, h.request(c, "POST", path, v).code)
		require.Equal(t, v, h.value())
	}
	h.noSecrets()
}

func TestTokenRules(t *testing.T) {
	h := start(t)
	strong := start(t, server.WithStrongTokens())
	for _, c := range []struct {
		read, write   string
		lenient, hard string // "" where it is taken
	}{
		{"same-Token-1", "same-Token-1", sameTokens, sameTokens},
		{"weak", "weak", sameTokens, sameTokens},
		{"weak", writeToken, "", "Read token not strong enough"},
		{readToken, "weak", "", "Write token not strong enough"},
		{"no-digits-Here", writeToken, "", "Read token not strong enough"},
		{readToken, "no-upper-1", "", "Write token not strong enough"},
		{readToken, "NO-LOWER-1", "", "Write token not strong enough"},
		{readToken, "white Space-1", "", "Write token not strong enough"},
		{"Strong-00", "Strong-01", "", ""},
	} {
		for head, message := range map[*head]string{h: c.lenient, strong: c.hard} {
			a := head.request(head.client(trusted), "POST", "/writeScope?"+entry(c.read, c.write), "x")
			if message != "" {
				a.refused(t, 400, message)
			} else if a.code != 403 { // another row created the entry
				require.Equal(t, 200, a.code, a.raw)
			}
		}
	}
}
