package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// What deployed heads answer is written down in wire.json. A head answers the same in the same situation, and may say more.
func TestAnswersAreThoseOfDeployedHeads(t *testing.T) { eachStore(t, testAnswers) }

func testAnswers(t *testing.T, open func(*testing.T) server.Store) {
	raw, err := os.ReadFile("../../testdata/wire.json")
	require.NoError(t, err)
	var cases []struct {
		Name   string
		Status int
		Body   map[string]any
	}
	require.NoError(t, json.Unmarshal(raw, &cases))
	deployed := map[string]map[string]any{}
	codes := map[string]int{}
	for _, c := range cases {
		deployed[c.Name], codes[c.Name] = c.Body, c.Status
	}

	h := startOn(t, open(t))
	strong := startOn(t, open(t), server.WithStrongTokens())
	with := func(family, key, read, write string) string {
		return query("contextID", "s", "family", family, "Key", key, "readToken", read, "writeToken", write)
	}
	const oneFamily, manyFamilies = "Planted-Read-Token-2", "Planted-Read-Token-3"
	const hosts = `{"val_":"[{\"hostName\":\"workers-0\",\"ip\":\"152.54.14.31\"}]"}`
	for _, e := range []struct{ read, family, key, value string }{
		{readToken, "hostsall", "k", hosts},
		{oneFamily, "hostsall", "k1", hosts},
		{oneFamily, "hostsall", "k2", `""`},
		{manyFamilies, "hostsall", "k1", hosts},
		{manyFamilies, "tokensall", "k1", `{"keadmToken":"t","ip":"1.2.3.4"}`},
	} {
		_, err := h.store.Apply(t.Context(), server.Change{
			Name: scope.MustName("s", e.family, e.key), Value: e.value, MayCreate: true,
			Tokens: scope.Tokens{Read: scope.MustToken(e.read), Write: scope.MustToken(writeToken)},
		})
		require.NoError(t, err)
	}
	c, anonymous := h.client(trusted), h.client(nobody)
	both := with("hostsall", "k", readToken, writeToken)
	answers := map[string]answer{
		"read hit":                          h.request(anonymous, "GET", "//readScope?"+both, ""),
		"read miss or wrong token":          h.request(anonymous, "GET", "//readScope?"+with("hostsall", "k", otherToken, "x"), ""),
		"enumerate with family":             h.request(anonymous, "GET", "//enumerateScope?"+with("hostsall", "", oneFamily, ""), ""),
		"enumerate all families":            h.request(anonymous, "GET", "//enumerateScope?"+query("contextID", "s", "readToken", manyFamilies), ""),
		"enumerate nothing":                 h.request(anonymous, "GET", "//enumerateScope?"+query("contextID", "s", "readToken", otherToken), ""),
		"write done":                        h.request(anonymous, "POST", "//writeScope?"+both, "x"),
		"write without trusted certificate": h.request(anonymous, "POST", "//writeScope?"+with("hostsall", "new", readToken, writeToken), "x"),
		"write equal tokens":                h.request(c, "POST", "//writeScope?"+with("hostsall", "k", readToken, readToken), "x"),
		"write weak read token":             strong.request(strong.client(trusted), "POST", "//writeScope?"+with("hostsall", "k", "weak", writeToken), "x"),
		"delete wrong write token":          h.request(c, "DELETE", "//deleteScope?"+with("hostsall", "k", readToken, otherToken), ""),
		"delete nothing":                    h.request(c, "DELETE", "//deleteScope?"+with("hostsall", "new", readToken, writeToken), ""),
		"delete done":                       h.request(c, "DELETE", "//deleteScope?"+both, ""),
		"version":                           h.request(anonymous, "GET", "//getVersion", ""),
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, deployed, name)
			var got map[string]any
			require.NoError(t, json.Unmarshal([]byte(answers[name].raw), &got))
			require.Equal(t, codes[name], answers[name].code)
			forgiven(name, got, deployed[name])
			require.Equal(t, deployed[name], got)
		})
	}
	require.Equal(t, http.StatusOK, answers["version"].code)
}

// forgiven takes out what may differ: what our heads say more, and names that are the deployed head's own.
func forgiven(name string, got, deployed map[string]any) {
	value, ok := got["value"].(map[string]any)
	if !ok {
		return
	}
	delete(value, "created")
	delete(value, "Comet store")
	delete(value, "Comet extensions")
	if name == "write done" { // the row and the table
		there := deployed["value"].(map[string]any)
		for _, v := range []map[string]any{value, there} {
			v["Success"] = v["Success"].(string)[:len("success, added Accumulo row: ")]
		}
	}
}
