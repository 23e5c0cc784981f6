package server_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/internal/logtest"
	"github.com/renci-nrig/comet-go/comet/server"
)

// logged takes lines of JSON apart, and leaves out what is another each time.
func logged(t *testing.T, log *logtest.Buffer) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var l map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &l))
		require.Equal(t, "INFO", l["level"])
		require.Contains(t, l["remote"], "127.0.0.1:")
		for _, name := range []string{"level", "remote", "time", "took", "msg"} {
			delete(l, name)
		}
		lines = append(lines, l)
	}
	return lines
}

type line = map[string]any

func jsonLog() (*slog.Logger, *logtest.Buffer) {
	b := new(logtest.Buffer)
	return slog.New(slog.NewJSONHandler(b, nil)), b
}

func TestAuditLogSaysWhoChangedWhat(t *testing.T) {
	log, lines := jsonLog()
	h := start(t, server.WithAuditLog(log), server.WithLimits(server.Limits{Entries: 2}))
	she, anybody, self := h.client(trusted), h.client(nobody), h.client(selfSigned)
	both, wrong := entry(readToken, writeToken), entry(readToken, otherToken)
	h.request(she, "POST", "/writeScope?"+both, "Planted")
	h.request(self, "POST", "/writeScope?"+both, "Planted 2")
	h.request(anybody, "POST", "//writeScope?"+both, "Planted 2")
	h.request(anybody, "POST", "/writeScope?"+wrong, "Planted 3")
	h.request(anybody, "DELETE", "/deleteScope?"+both, "")
	h.request(she, "DELETE", "/deleteScope?"+wrong, "")
	h.request(she, "DELETE", "/deleteScope?"+both, "")
	h.request(she, "POST", "/writeScopes", batch("slice", item("a", "Planted"), item("b", "Planted")))
	h.request(she, "POST", "/writeScopes", batch("slice", item("b", "Planted"), item("c", "Planted")))
	h.request(she, "POST", "/deleteScopes", batch("slice", item("a", "")))
	h.request(she, "POST", "/writeScopes", "Planted")
	h.request(she, "GET", "/readScope?"+both, "")
	h.request(she, "GET", "/writeScope?"+both, "")

	change := func(call, subject, key, outcome string, code float64) line {
		return line{"call": call, "subject": subject, "trusted": subject == "CN=client", "context": "slice", "family": "hostsall", "key": key, "outcome": outcome, "code": code}
	}
	selfChanged := change("writeScope", "CN=client", "vm", "changed", 200)
	selfChanged["trusted"] = false
	const full = "refused: Entry 1: The read token shows 2 entries in the context; no more can be created"
	require.Equal(t, []line{
		change("writeScope", "CN=client", "vm", "created", 200),
		selfChanged,
		change("writeScope", "-", "vm", "unchanged", 200),
		change("writeScope", "-", "vm", "refused: "+badWriter, 403),
		change("deleteScope", "-", "vm", "refused: "+unauthorized, 400),
		change("deleteScope", "CN=client", "vm", "refused: Cannot delete scope: incorrect write token", 200),
		change("deleteScope", "CN=client", "vm", "removed", 200),
		change("writeScopes", "CN=client", "a", "created", 200),
		change("writeScopes", "CN=client", "b", "created", 200),
		change("writeScopes", "CN=client", "b", full, 413),
		change("writeScopes", "CN=client", "c", full, 413),
		change("deleteScopes", "CN=client", "a", "removed", 200),
		{"call": "writeScopes", "subject": "CN=client", "trusted": true, "context": "", "code": 400.0, "outcome": "refused: The body is not the JSON of a batch, or has members that a batch does not have"},
		{"call": "writeScope", "subject": "CN=client", "trusted": true, "context": "", "code": 405.0, "outcome": "refused: Request method not supported; use POST"},
	}, logged(t, lines))
	require.NotContains(t, lines.String(), "Planted")
	h.noSecrets()
}

func TestAccessLogSaysWhoAskedWhat(t *testing.T) {
	log, lines := jsonLog()
	h := start(t, server.WithAccessLog(log))
	she, anybody := h.client(trusted), h.client(nobody)
	h.put("Planted")
	h.request(she, "GET", "/readScope?"+entry(readToken, ""), "")
	h.request(anybody, "GET", "/enumerateScope?"+query("contextID", "slice", "readToken", otherToken), "")
	h.request(she, "POST", "/writeScopes", batch("slice", item("a", "Planted"), item("b", "Planted")))
	h.request(anybody, "GET", "/Planted?"+entry(readToken, ""), "")
	h.request(anybody, "GET", "/readScope?contextID=slice&family=%00", "")
	h.watch(anybody, "contextID=slice", readToken)
	require.Equal(t, []line{
		{"call": "readScope", "subject": "CN=client", "trusted": true, "code": 200.0, "context": "slice", "family": "hostsall", "key": "vm"},
		{"call": "enumerateScope", "subject": "-", "trusted": false, "code": 200.0, "context": "slice"},
		{"call": "writeScopes", "subject": "CN=client", "trusted": true, "code": 200.0, "context": "slice", "entries": 2.0},
		{"call": "unknown", "subject": "-", "trusted": false, "code": 404.0},
		{"call": "readScope", "subject": "-", "trusted": false, "code": 400.0, "context": "slice"},
		{"call": "watchScope", "subject": "-", "trusted": false, "code": 200.0, "context": "slice"},
	}, logged(t, lines))
	require.NotContains(t, lines.String(), "Planted")
}

func TestObserverIsToldOfEveryRequest(t *testing.T) {
	told := make(chan server.Answered, 10)
	h := start(t, server.WithObserver(func(a server.Answered) { told <- a }), server.WithLimits(server.Limits{Value: 3}))
	c := h.client(trusted)
	h.request(c, "GET", "/readScope?"+entry(readToken, ""), "")
	h.request(c, "POST", "/writeScope?"+entry(readToken, writeToken), "long")
	h.request(c, "GET", "/nothing", "")
	for _, want := range []server.Answered{{Call: "readScope", Code: 200}, {Call: "writeScope", Code: 413, Limit: server.LimitSize}, {Call: "unknown", Code: 404}} {
		got := <-told
		require.Positive(t, got.Took)
		got.Took = 0
		require.Equal(t, want, got)
	}
}
