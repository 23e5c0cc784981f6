package takeover_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/takeover"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

func load(t *testing.T, text string) ([]takeover.Owner, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	owners, err := takeover.LoadTokens(path)
	if err != nil {
		require.ErrorContains(t, err, path)
		require.NotContains(t, err.Error(), "Planted")
		require.NotContains(t, err.Error(), "\n")
	}
	return owners, err
}

func TestFilesOfTokensThatMakeNoSense(t *testing.T) {
	for text, says := range map[string]string{
		``:                          "there are no tokens in it",
		`Planted`:                   "object 1 is not one with context",
		`{"context":"Planted"`:      "object 1 is not one with context",
		`[{"context":"Planted"}]`:   "object 1 is not one with context",
		`{"contextID":"Planted"}`:   "object 1 is not one with context",
		`{"readToken":"Planted"}`:   "object 1: context is empty",
		`{"context":"c","key":"k"}`: "object 1: readToken: token is empty",
		`{"context":"c","key":"k","readToken":"Planted","writeToken":"Planted\u0007"}`:                                                           "object 1: writeToken: token has a control character",
		`{"context":"c","readToken":"Planted","writeToken":"PlantedA"}{"context":"c","readToken":"Planted","writeToken":"PlantedB"}`:             "object 1 and object 2 have different write tokens",
		`{"sliceId":"c","context":"c","readToken":"Planted","writeTokens":{"k":"Planted"}}`:                                                      "two kinds of objects",
		`{"context":"c","readToken":"Planted","writeToken":"Planted"}{"sliceId":"c","readToken":"Planted","writeTokens":{"k\n":"PlantedAgain"}}`: "object 2: key has a control character",
	} {
		_, err := load(t, text)
		require.ErrorContains(t, err, says, text)
	}
}

// The file of a slice that a controller has says more than its tokens.
func TestFilesOfControllersAreTaken(t *testing.T) {
	owners, err := load(t, `{"sliceId":"c","groups":["all"],"vms":[{"hostName":"a","reservationId":"k"}],"withdrawn":[],"readToken":"Planted","writeTokens":{"k":"PlantedA"}}`)
	require.NoError(t, err)
	require.Len(t, owners, 1)
	require.Equal(t, scope.MustName("c", "f", "k").Key, owners[0].Key)
}

// deployed is a head that shows other entries each time, until the last of the answers, which stays.
func deployed(t *testing.T, answers ...string) *comet.Client {
	t.Helper()
	var calls atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value := `{"Comet version":"1.0.5","Comet API version":"1.0.0"}`
		if r.URL.Path == "/enumerateScope" {
			value = `{"contextId":"slice","entries":[` + answers[min(int(calls.Add(1)), len(answers))-1] + `]}`
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"status":"OK","message":"success","value":%s,"version":"1.0.5"}`, value)
	}))
	t.Cleanup(s.Close)
	c, err := comet.New(s.URL, nil, comet.WithoutTLS())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

const (
	entryA = `{"family":"hostsall","key":"a","value":"one"}`
	entryB = `{"family":"users","key":"b","value":"two"}`
)

func TestDeployedHeadsThatHideEntriesAreAskedAgain(t *testing.T) {
	owners, err := load(t, `{"context":"slice","readToken":"Planted-R","writeToken":"Planted-W"}`)
	require.NoError(t, err)
	found, err := takeover.Read(t.Context(), deployed(t, entryA+","+entryB, entryA, entryB+","+entryA), owners, false)
	require.NoError(t, err)
	require.Len(t, found.Entries, 2)
	_, err = takeover.Read(t.Context(), deployed(t, entryA, entryB, entryA, entryB, entryA, entryB, entryA), owners, false)
	require.ErrorContains(t, err, "context slice changes all the time")
}

func TestTheMostParticularOwnerCounts(t *testing.T) {
	owners, err := load(t, `{"context":"slice","readToken":"R","writeToken":"of all"}
		{"context":"slice","readToken":"R","family":"users","writeToken":"of users"}
		{"context":"slice","readToken":"R","key":"a","writeToken":"of a"}`)
	require.NoError(t, err)
	heads := deployed(t, entryA+","+entryB+`,{"family":"users","key":"a","value":"three"},{"family":"hostsall","key":"c","value":"four"}`)
	found, err := takeover.Read(t.Context(), heads, owners, false)
	require.NoError(t, err)
	tokens := map[string]string{}
	for _, e := range found.Entries {
		tokens[e.Name.String()] = e.Tokens.Write.Reveal()
	}
	require.Equal(t, map[string]string{
		"slice/hostsall/a": "of a", "slice/users/a": "of a", "slice/users/b": "of users", "slice/hostsall/c": "of all",
	}, tokens)
}

func TestWriteInPartsAndAgain(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	tokens := scope.NewTokens()
	var entries []server.Change
	for i := range 25 {
		n := scope.MustName("slice", "hostsall", fmt.Sprint("vm-", i))
		entries = append(entries, server.Change{Name: n, Tokens: tokens, Value: fmt.Sprint(i), MayCreate: true, IfAbsent: true})
	}
	write := func(limits takeover.Limits, n int) int {
		added, err := takeover.Write(context.Background(), store, limits, entries[:n])
		require.NoError(t, err)
		return added
	}
	require.Equal(t, 7, write(takeover.Limits{Changes: 3}, 7))
	require.Equal(t, 8, write(takeover.Limits{Bytes: 3}, 15))
	require.Equal(t, 10, write(takeover.Limits{}, 25))
	require.Equal(t, 0, write(takeover.Limits{}, 25))
	l, err := store.List(t.Context(), entries[0].Name.Context, tokens.Read, scope.Family{})
	require.NoError(t, err)
	require.Len(t, l.Entries, 25)
}
