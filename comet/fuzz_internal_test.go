package comet

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
)

// The functions that read a head's answer do no I/O, so that they can be tried as often as a processor can.

const planted = "Planted-Token-1"

// FuzzAnswer: whatever a head answers to whatever operation, it is a value or an error of one short line without the call's tokens, and
// what is made of the value is what was asked for.
func FuzzAnswer(f *testing.F) {
	for _, value := range []string{
		`{"contextId":"s","family":"hostsall","key":"k","value":"{\"val_\":\"[]\"}"}`, `{"value":{"val_":[7]}}`, `{}`, `null`, `[]`, `"text"`,
		`{"contextId":"s","family":"hostsall","entries":[{"key":"k","value":"v"},{"key":"","value":"v"},{"family":"x","key":"k"},null]}`,
		`{"Success":"success, added Accumulo row: s to table: comet","created":true}`, `{"error":"Cannot delete scope: incorrect write token ` + planted + `"}`,
		`{"Comet version":"1.0.5","Comet API version":"1.0.0","Comet extensions":["batch/1;max=40","watch/1;max=-1",";"],"Comet store":"S"}`,
		`{"Comet version":"\u001b[2J","Comet extensions":["\u0007",""],"Comet store":"a\nb"}`,
		`{"contextId":"s","rev":"E.7","whole":true,"families":[{"family":"hostsall","token":1,"entries":[{"key":"k","value":"v","modified":"2026-05-04T11:59:58Z"},{"key":"l"}],"removed":["m",""]}]}`,
		`{"contextId":"other","rev":"E.7","families":[{"family":"hostsall","token":-1},{"family":"x","token":9}]}`,
	} {
		f.Add(200, `{"status":"OK","message":"success","value":`+value+`,"version":"1.0.5"}`, planted)
	}
	for _, status := range []int{200, 304, 400, 403, 404, 408, 412, 413, 425, 429, 500, 503} {
		f.Add(status, `{"status":"status","message":"Entry 3: invalid certificate e `+planted+`","value":{"entry":3,"error":"x"}}`, "e")
	}
	f.Add(502, "<html>Client sent an HTTP request to an HTTPS server.</html>", planted)
	f.Add(400, "", "[redacted]")
	f.Fuzz(func(t *testing.T, status int, body, token string) {
		read, err := scope.ParseToken(token)
		if err != nil {
			read = scope.MustToken(planted)
		}
		for _, op := range []string{opRead, opList, opWrite, opDelete, opVersion, opWatch} {
			value, refused, verdict := judge(op, answer{status: status, body: []byte(body)}, read, scope.MustToken(planted))
			if refused != nil {
				requireShort(t, refused)
				require.Nil(t, value)
				_ = refusedEntry(refused, []Item{{Name: scope.MustName("s", "hostsall", "k")}})
				continue
			}
			require.Equal(t, 200, status)
			require.Equal(t, settled, verdict)
			requireAsked(t, value)
		}
	})
}

// requireShort requires an error that can be logged.
func requireShort(t *testing.T, err *Error) {
	t.Helper()
	text := err.Error()
	require.LessOrEqual(t, len(text), maxMessage+100)
	require.NotContains(t, text, planted)
	require.False(t, strings.ContainsFunc(text, unicode.IsControl), "%q", text)
}

// requireAsked reads a value as the answer of each operation, and requires that nothing comes of it that was not asked for.
func requireAsked(t *testing.T, value json.RawMessage) {
	t.Helper()
	asked := scope.MustName("s", "hostsall", "k")
	c := &Client{settings: settings{logger: slog.New(slog.DiscardHandler)}}
	if e, err := parseEntry(asked, value); err == nil {
		require.Equal(t, asked, e.Name)
		require.NotNil(t, e.Value)
	} else {
		requireShort(t, err)
	}
	for _, family := range []scope.Family{asked.Family, {}} {
		entries, err := c.parseEntries(asked.Context, family, value)
		if err != nil {
			requireShort(t, err)
		}
		for _, e := range entries {
			requireName(t, e.Name, asked.Context)
		}
	}
	require.Contains(t, []Outcome{Written, Created, Updated}, parseOutcome(value))
	version := parseVersion(value)
	require.GreaterOrEqual(t, version.limit(extensionBatch), 0)
	require.False(t, strings.ContainsFunc(fmt.Sprint(version), unicode.IsControl), "%q", version)
	watch := Watch{Context: asked.Context, Families: []scope.Family{asked.Family, scope.FamilyUsers}, Read: make([]scope.Token, 2)}
	told, err := (&follower{c: c, Watch: watch}).parse(value)
	if err != nil {
		requireShort(t, err)
		return
	}
	require.NotEmpty(t, told.rev)
	for _, e := range slices.Concat(told.Entries, told.Removed) {
		requireName(t, e.Name, asked.Context)
		require.Contains(t, watch.Families, e.Name.Family)
		require.Contains(t, []int{0, 1}, e.Token)
	}
}

func requireName(t *testing.T, n scope.Name, id scope.ContextID) {
	t.Helper()
	again, err := scope.NewName(n.Context.String(), n.Family.String(), n.Key.String())
	require.NoError(t, err)
	require.Equal(t, n, again)
	require.Equal(t, id, n.Context)
}

// FuzzHeaders: whatever a head's headers are, a changed entry is written on the condition of the tag that was read with it, as it came, and
// what fails does in lines that can be logged, without the call's tokens. Every ~ stands for a token.
func FuzzHeaders(f *testing.F) {
	for _, text := range []string{"ETag: \"e.7\"", "etag:e.7\r\nETag: e.8", "ETag: \x01\x7f", "ETag: ~\xff", "~: ~", "ETag", "Content-Encoding: gzip", "Transfer-Encoding: chunked", "Content-Length: 7",
		"Connection: close, ~", "Location: //~/", " folded\r\n\tETag: ~", "ETag: a\r\n\r\n"} {
		f.Add(200, text)
	}
	for _, text := range []string{"3", "-1", "99999999999999999999", "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "~", "\x00"} {
		f.Add(429, "Retry-After: "+text)
		f.Add(503, "Retry-After: "+text)
	}
	f.Add(101, "Upgrade: ~")
	f.Add(302, "Location: /~")
	h := &rawHead{}
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	f.Cleanup(server.Close)
	f.Fuzz(func(t *testing.T, status int, headers string) {
		headers = strings.ReplaceAll(headers, "~", planted)
		require.GreaterOrEqual(t, retryAfter(headers, time.Now()), time.Duration(0))
		h.answer(100+int((uint(status)-100)%500), headers)
		c, err := New(server.URL, nil, WithoutTLS(), WithRest(time.Nanosecond, time.Nanosecond))
		require.NoError(t, err)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond) // less than a client waits before it asks all heads again
		defer cancel()
		tokens := scope.Tokens{Read: scope.MustToken(planted), Write: scope.MustToken(planted)}
		err = c.Update(ctx, scope.MustName("s", "hostsall", "k"), tokens, func(l *scope.List) error {
			scope.Put(l, scope.Host{HostName: "a"})
			return nil
		})
		if err != nil {
			require.NotContains(t, err.Error(), planted)
			require.False(t, strings.ContainsFunc(strings.ReplaceAll(err.Error(), "\n", ""), unicode.IsControl), "%q", err.Error())
		}
		for _, wrote := range h.conditions() {
			require.Equal(t, h.tag(t), wrote)
		}
	})
}

// rawHead is a head that offers tags and answers to reads with the bytes that it was told, and with an entry.
type rawHead struct {
	mu    sync.Mutex
	read  string
	wrote []string // the conditions of writes
}

func (h *rawHead) answer(status int, headers string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	const body = `{"status":"OK","message":"success","value":{"contextId":"s","family":"hostsall","key":"k","value":"{\"val_\":\"[]\"}"}}`
	h.read, h.wrote = fmt.Sprintf("HTTP/1.1 %d x\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n\r\n%s", status, len(body), headers, body), nil
}

func (h *rawHead) conditions() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.wrote)
}

// tag is the one that it was told to give, as net/http reads it.
func (h *rawHead) tag(t *testing.T) string {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(h.read)), nil)
	require.NoError(t, err)
	return response.Header.Get("ETag")
}

func (h *rawHead) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch path.Base(r.URL.Path) {
	case "getVersion":
		_, _ = io.WriteString(w, `{"status":"OK","message":"success","value":{"Comet version":"1","Comet extensions":["headers/1","etag/1"]}}`)
	case "readScope":
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, h.read)
		_ = conn.Close()
	default:
		h.wrote = append(h.wrote, r.Header.Get("If-Match"))
		_, _ = io.WriteString(w, `{"status":"OK","message":"success","value":{"Success":"success"}}`)
	}
}

// FuzzParseHeads: a list of heads is read as it is written again, or refused in one line without a password that may be in it.
func FuzzParseHeads(f *testing.F) {
	for _, list := range []string{"https://h:8111/, http://[::1]/,", "https://user:" + planted + "@h/", "h", "https://H", "https://h:0", "https://h%zz@", "https://[fe80::1%25eth0]/", "//" + planted + "@h"} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		heads, err := ParseHeads(list)
		if err != nil {
			require.False(t, strings.ContainsFunc(err.Error(), unicode.IsControl), "%q", err.Error())
			if strings.Contains(list, ":"+planted+"@") {
				require.NotContains(t, err.Error(), planted)
			}
			return
		}
		require.NotEmpty(t, heads)
		again, err := ParseHeads(strings.Join(heads, ","))
		require.NoError(t, err)
		require.Equal(t, heads, again)
	})
}
