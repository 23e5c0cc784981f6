//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

// From a file to etcd and back, with heads that run, clients keep their tokens.
func TestMovingBetweenStores(t *testing.T) {
	store := etcdtest.Start(t, 1).URL("/comet")
	dir, files := t.TempDir(), t.TempDir()
	first, second := filepath.Join(files, "first"), filepath.Join(files, "second")
	h := serveHead(t, dir, nil)
	want := map[string]string{}
	for i := range 50 {
		key := fmt.Sprint("vm-", i)
		want[key] = strings.Repeat("Planted", i*100+1)
		h.write(key, want[key])
	}
	require.Contains(t, requireDone(t, "export", "--data", dir, first), "exported 50 entries of store "+h.identity())
	requireMode(t, 0o600, first)
	identity := h.identity()
	h.terminate()

	code, _, stderr := output(t, nil, "export", "--store", store, second)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "there is nothing below the prefix")
	require.Equal(t, "imported 50 entries into an empty store, which has the key of the export now: 50 added, 0 replaced older ones, 0 were there already\n",
		requireDone(t, "import", "--store", store, first))
	onEtcd := serveHead(t, t.TempDir(), nil, "--store", store)
	require.Equal(t, want, onEtcd.entries())
	require.NotEqual(t, identity, onEtcd.identity())
	onEtcd.write("vm-1", "changed")
	want["vm-1"] = "changed"
	requireDone(t, "export", "--store", store, second)

	require.Equal(t, "imported 50 entries: 0 added, 1 replaced older ones, 49 were there already\n", requireDone(t, "import", "--data", dir, second))
	entries, same := entriesIn(t, dir)
	require.Equal(t, want, entries)
	require.Equal(t, identity, same)
	elsewhere := filepath.Join(t.TempDir(), "new")
	requireDone(t, "import", "--data", elsewhere, second)
	entries, _ = entriesIn(t, elsewhere)
	require.Equal(t, want, entries)
}

func TestImportsThatCannotBe(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "export")
	h := serveHead(t, dir, nil)
	h.write("vm", "Planted")
	requireDone(t, "export", "--data", dir, file)
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	cut := file + "-cut"
	require.NoError(t, os.WriteFile(cut, whole[:len(whole)-10], 0o600))
	other := t.TempDir()
	o := serveHead(t, other, nil)
	o.write("vm", "other")
	o.terminate()
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte(`{"context":"slice","readToken":"Planted"}`), 0o600))
	for _, c := range []struct {
		code int
		args []string
		says string
	}{
		{2, []string{"import", file}, "import needs --data DIR or --store URL; see cometd import --help"},
		{2, []string{"import", "--data", dir, "--store", "etcd://h:1/x", file}, "--data and --store name two stores"},
		{2, []string{"import", "--data", dir}, "import needs FILE, or --tokens"},
		{2, []string{"import", "--data", dir, "--tokens", tokens, file}, "import needs FILE, or --tokens"},
		{2, []string{"import", "--data", dir, "--tokens", tokens}, "object 1: writeToken: token is empty"},
		{2, []string{"import", "--data", dir, file + "-missing"}, file + "-missing"},
		{2, []string{"import", "--data", other, cut}, "export " + cut + " is truncated or was altered"},
		{2, []string{"import", "--data", other, filepath.Join(dir, storeName)}, "is not an export of a store"},
		{2, []string{"import", "--data", other, file}, "has another key than the export"},
		{1, []string{"import", "--data", dir, file}, "is in use by another process; stop the head first"},
		{2, []string{"export", "--data", dir, file}, "is there already; give --replace"},
		{2, []string{"export", file}, "export needs --data DIR or --store URL"},
	} {
		code, stdout, stderr := output(t, nil, c.args...)
		require.Equal(t, c.code, code, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, c.says)
		require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		require.NotContains(t, stderr, "Planted")
	}
	require.Equal(t, map[string]string{"vm": "Planted"}, h.entries())
	h.terminate()
	entries, _ := entriesIn(t, other)
	require.Equal(t, map[string]string{"vm": "other"}, entries)
}

func (h *head) writeIn(context, key, value, read, write string) {
	h.Helper()
	q := url.Values{"contextID": {context}, "family": {"hostsall"}, "Key": {key}, "readToken": {read}, "writeToken": {write}}
	r, err := h.client.Post(h.base+"/writeScope?"+q.Encode(), "", strings.NewReader(value))
	require.NoError(h, err)
	r.Body.Close()
	require.Equal(h, 200, r.StatusCode)
}

func TestImportFromAHead(t *testing.T) {
	from, dir := serveHead(t, t.TempDir(), nil), filepath.Join(t.TempDir(), "new")
	from.write("a", "one")
	from.write("b", "two")
	from.writeIn("other", "c", "three", "Planted-Read-2", "Planted-Write-2")
	from.writeIn("other", "d", "four", "Planted-Read-2", "Planted-Write-3")
	tokens := filepath.Join(t.TempDir(), "tokens")
	put := func(text string) { require.NoError(t, os.WriteFile(tokens, []byte(text), 0o600)) }
	args := []string{"import", "--data", dir, "--tokens", tokens, "--comethost", from.base + "/", "--cacert", from.ready["cacert"]}
	slice := fmt.Sprintf(`{"context":"slice","readToken":%q,"writeToken":%q}`, readToken, writeToken)

	put(slice + `{"context":"other","key":"c","readToken":"Planted-Read-2","writeToken":"Planted-Write-2"}`)
	code, _, stderr := output(t, nil, args...)
	require.Equal(t, 2, code)
	require.Equal(t, "cometd: entry other/hostsall/d: no write token is given for it\n", stderr)
	put(slice + `{"context":"slice","readToken":"Planted-Wrong","writeToken":"Planted-Write"}`)
	code, _, stderr = output(t, nil, args...)
	require.Equal(t, 3, code)
	require.Contains(t, stderr, "the read token of object 2 shows nothing of its own in context slice")
	require.NotContains(t, stderr, "Planted")
	require.NoDirExists(t, dir)

	put(slice + "\n" + `{"sliceId":"other","readToken":"Planted-Read-2","writeTokens":{"c":"Planted-Write-2","d":"Planted-Write-3"}}`)
	require.Equal(t, "imported 4 entries: 4 added, 0 were there already and stayed\n", requireDone(t, args...))
	from.write("a", "changed")
	from.write("e", "new")
	require.Equal(t, "imported 5 entries: 1 added, 4 were there already and stayed\n", requireDone(t, args...))

	put(slice + `{"context":"other","family":"hostsall","key":"c","readToken":"Planted-Read-2","writeToken":"Planted-Write-2"}{"context":"gone","readToken":"r","writeToken":"w"}`)
	code, stdout, stderr := output(t, nil, append(args, "--skip-missing")...)
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "imported 4 entries: 0 added, 4 were there already and stayed\n", stdout)
	require.Contains(t, stderr, "tokens that showed nothing: 1; entries without a write token: 1")
	require.NoError(t, os.Chmod(tokens, 0o644))
	code, _, stderr = output(t, nil, args...)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "may be read by others")

	to := serveHead(t, dir, nil)
	require.Equal(t, map[string]string{"a": "one", "b": "two", "e": "new"}, to.entries())
	to.write("a", "by its owner")
	to.writeIn("other", "d", "five", "Planted-Read-2", "Planted-Write-3")
	to.terminate()
}

func TestImportFromAHeadIntoEtcd(t *testing.T) {
	store := etcdtest.Start(t, 1).URL("/comet")
	from := serveHead(t, t.TempDir(), nil)
	for i := range 90 {
		from.write(fmt.Sprint("vm-", i), "one")
	}
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, fmt.Appendf(nil, `{"context":"slice","readToken":%q,"writeToken":%q}`, readToken, writeToken), 0o600))
	require.Contains(t, requireDone(t, "import", "--store", store, "--tokens", tokens, "--comethost", from.base, "--cacert", from.ready["cacert"]), "90 added")
	require.Equal(t, from.entries(), serveHead(t, t.TempDir(), nil, "--store", store).entries())
}

func TestContexts(t *testing.T) {
	dir := t.TempDir()
	h := serveHead(t, dir, nil)
	h.write("a", "one")
	h.write("b", "three")
	h.writeIn("slice", "a", "other", "Planted-Read-2", "Planted-Write-2")
	h.writeIn("other", "a", "x", "Planted-Read-2", "Planted-Write-2")

	var lines []contextLine
	list := func(args ...string) []string {
		out := requireDone(t, append([]string{"contexts", "list", "--output", "json", "--data", dir}, args...)...)
		require.NoError(t, json.Unmarshal([]byte(out), &lines))
		ids := []string{}
		for _, l := range lines {
			ids = append(ids, l.Context.String())
		}
		return ids
	}
	require.Equal(t, []string{"other", "slice"}, list())
	require.Equal(t, 2, lines[1].ReadTokens)
	require.Equal(t, 3, lines[1].Entries)
	require.EqualValues(t, 13, lines[1].Bytes)
	require.WithinDuration(t, time.Now(), lines[1].Changed, time.Minute)
	require.Empty(t, list("--older", "1d"))
	require.Len(t, list("--older", "0s"), 2)
	require.Contains(t, requireDone(t, "contexts", "list", "--data", dir), "slice    2            3")
	require.Equal(t, 4, strings.Count(requireDone(t, "contexts", "age", "--data", dir), "\n"))

	code, stdout, stderr := output(t, nil, "contexts", "purge", "--data", dir, "slice")
	require.Equal(t, 6, code)
	require.Contains(t, stdout, "slice")
	require.NotContains(t, stdout, "other")
	require.Equal(t, "cometd: nothing was changed yet; --yes removes 1 context with 3 entries\n", stderr)
	require.Len(t, list(), 2)
	for _, args := range [][]string{{"--older", "1d"}, {"--older", "1d", "slice"}, {"missing"}} {
		code, stdout, _ := output(t, nil, append([]string{"contexts", "purge", "--yes", "--data", dir}, args...)...)
		require.Equal(t, 0, code)
		require.Empty(t, stdout)
	}
	require.Len(t, list(), 2)
	require.Contains(t, requireDone(t, "contexts", "purge", "--yes", "--data", dir, "slice"), "slice    3 entries")
	require.Equal(t, []string{"other"}, list())
	require.Empty(t, h.entries())
	requireDone(t, "contexts", "purge", "--yes", "--data", dir, "slice")
	h.terminate()
	require.Contains(t, h.log.String(), "operator purged a context")

	require.JSONEq(t, `[{"context":"other","removed":1}]`, requireDone(t, "contexts", "purge", "--yes", "--older", "0s", "--output", "json", "--data", dir))
	require.Empty(t, list())
}

func TestContextsOnEtcd(t *testing.T) {
	store := etcdtest.Start(t, 1).URL("/comet")
	h := serveHead(t, t.TempDir(), nil, "--store", store)
	h.write("a", "one")
	require.Contains(t, requireDone(t, "contexts", "list", "--store", store), "slice")
	requireDone(t, "contexts", "purge", "--yes", "--store", store, "slice")
	require.Empty(t, h.entries())
}

func TestContextsThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	serveHead(t, dir, nil).terminate()
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"contexts"}, "no command; see cometd contexts --help"},
		{[]string{"contexts", "list"}, "list needs --data DIR or --store URL; see cometd contexts list --help"},
		{[]string{"contexts", "list", "--data", dir, "--older", "soon"}, `--older "soon" makes no sense`},
		{[]string{"contexts", "list", "--data", dir, "--older", "-1d"}, `makes no sense`},
		{[]string{"contexts", "list", "--data", dir, "--output", "xml"}, `--output "xml" is no form of output`},
		{[]string{"contexts", "list", "--data", t.TempDir()}, "no store: stat"},
		{[]string{"contexts", "purge", "--data", dir}, "purge needs contexts, or --older TIME"},
		{[]string{"contexts", "purge", "--data", dir, "slice", "--yes"}, "flags come first, arguments last"},
	} {
		code, stdout, stderr := output(t, nil, c.args...)
		require.Equal(t, 2, code, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, c.says)
	}
}

func TestHelpOfOperatorsCommands(t *testing.T) {
	for _, args := range [][]string{{"backup"}, {"restore"}, {"export"}, {"import"}, {"contexts"}, {"contexts", "list"}, {"contexts", "age"}, {"contexts", "purge"}} {
		code, stdout, stderr := output(t, nil, append(args, "--help")...)
		require.Equal(t, 0, code)
		require.Empty(t, stderr)
		require.Contains(t, stdout, "EXIT CODES:")
	}
}

// On a store that ages, with owners, operators do all that they do elsewhere; flags of heads are none of theirs.
func TestOperatorsOnAStoreThatAges(t *testing.T) {
	dir, files := t.TempDir(), t.TempDir()
	serving := []string{"--expiry", "1h", "--owners"}
	h := serveHead(t, dir, nil, serving...)
	h.write("vm", "Planted")
	running := []string{filepath.Join(files, "backup"), filepath.Join(files, "export")}
	requireDone(t, "backup", "--data", dir, running[0])
	requireDone(t, "export", "--data", dir, running[1])
	require.Contains(t, requireDone(t, "contexts", "list", "--data", dir), "slice")
	h.terminate()
	requireDone(t, "export", "--replace", "--data", dir, running[1])
	requireDone(t, "import", "--data", dir, running[1])
	require.Contains(t, requireDone(t, "contexts", "purge", "--data", dir, "--yes", "--older", "0s"), "slice")
	h = serveHead(t, dir, nil, serving...)
	require.Empty(t, h.entries())
	h.terminate()

	requireDone(t, "restore", "--replace", "--data", dir, running[0])
	h = serveHead(t, dir, nil, serving...)
	require.Equal(t, map[string]string{"vm": "Planted"}, h.entries())
	h.terminate()
	text, err := os.ReadFile(running[1])
	require.NoError(t, err)
	require.Regexp(t, `"owner":"CN=[^"]+"`, string(text))

	code, _, stderr := output(t, nil, "export", "--data", dir, "--expiry", "1h", running[1])
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "expiry")
}

// Operators' tools on a head that is stopped know nothing of its expiry, and leave the ages of its store as they are.
func TestOperatorsLeaveAges(t *testing.T) {
	dir, files := t.TempDir(), t.TempDir()
	h := serveHead(t, dir, nil, "--expiry", "1h")
	h.write("vm", "one")
	h.terminate()
	before := agesIn(t, dir)
	require.Len(t, before, 1)
	for _, args := range [][]string{
		{"backup", "--data", dir, filepath.Join(files, "backup")},
		{"export", "--data", dir, filepath.Join(files, "export")},
		{"contexts", "list", "--data", dir},
		{"contexts", "age", "--data", dir},
		{"contexts", "purge", "--yes", "--data", dir, "other"},
	} {
		requireDone(t, args...)
		require.Equal(t, before, agesIn(t, dir), args)
	}
	serveHead(t, dir, nil).terminate()
	require.Empty(t, agesIn(t, dir), "a head on which nothing ages forgets them")
}

// agesIn is the table of a store in which its ages are; nil where it has none.
func agesIn(t *testing.T, dir string) (ages map[string]string) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, storeName), 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Minute})
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		table := tx.Bucket([]byte("renewed"))
		if table == nil {
			return nil
		}
		ages = map[string]string{}
		return table.ForEach(func(k, v []byte) error { ages[string(k)] = string(v); return nil })
	}))
	return ages
}
