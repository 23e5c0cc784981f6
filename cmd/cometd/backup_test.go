//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func (h *head) write(key, value string) {
	h.Helper()
	code, body, err := h.call("POST", "/writeScope", key, value)
	require.NoError(h, err)
	require.Equal(h, 200, code, body)
}

func (h *head) identity() string {
	h.Helper()
	_, body, err := h.call("GET", "/getVersion", "", "")
	require.NoError(h, err)
	var answer struct {
		Value struct {
			Store string `json:"Comet store"`
		}
	}
	require.NoError(h, json.Unmarshal([]byte(body), &answer))
	require.NotEmpty(h, answer.Value.Store)
	return answer.Value.Store
}

// entriesIn is what a head on the folder shows, and the store's identity.
func entriesIn(t *testing.T, dir string) (map[string]string, string) {
	t.Helper()
	h := serveHead(t, dir, nil)
	defer h.terminate()
	return h.entries(), h.identity()
}

func requireDone(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	code, stdout, stderr := output(t, nil, args...)
	require.Equal(t, 0, code, stderr)
	require.NotContains(t, stdout+stderr, "Planted")
	return stdout
}

func requireMode(t *testing.T, mode os.FileMode, path string) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, mode, info.Mode())
}

func TestBackupOfARunningHeadAndRestore(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	h := serveHead(t, dir, nil)
	h.write("vm", "one")
	identity := h.identity()
	require.Contains(t, requireDone(t, "backup", "--data", dir, file), "backed up store "+identity+" at revision 1")
	requireMode(t, 0o600, file)
	h.write("vm", "two")
	h.write("other", "two")

	code, _, stderr := output(t, nil, "restore", "--replace", "--data", dir, file)
	require.Equal(t, 1, code)
	require.Equal(t, "cometd: store "+filepath.Join(dir, storeName)+" is in use by another process; stop the head first\n", stderr)
	h.terminate()
	code, _, stderr = output(t, nil, "restore", "--data", dir, file)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "is there already; give --replace if it may be lost")
	entries, same := entriesIn(t, dir)
	require.Equal(t, map[string]string{"vm": "two", "other": "two"}, entries)
	require.Equal(t, identity, same)

	require.Contains(t, requireDone(t, "restore", "--replace", "--data", dir, file), "restored store "+identity+" at revision 1")
	entries, restored := entriesIn(t, dir)
	require.Equal(t, map[string]string{"vm": "one"}, entries)
	require.NotEqual(t, identity, restored)

	elsewhere := filepath.Join(t.TempDir(), "new", "data")
	requireDone(t, "restore", "--data", elsewhere, file)
	requireMode(t, 0o600, filepath.Join(elsewhere, storeName))
	entries, another := entriesIn(t, elsewhere)
	require.Equal(t, map[string]string{"vm": "one"}, entries)
	require.NotContains(t, []string{identity, restored}, another)
	require.NotContains(t, h.log.String(), "Planted")
}

func TestBackupWithoutAHead(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	h := serveHead(t, dir, nil)
	h.write("vm", "one")
	require.NoError(t, h.process.Process.Kill()) // and leaves its socket
	h.process.Wait()
	require.FileExists(t, filepath.Join(dir, "admin.sock"))
	requireDone(t, "backup", "--data", dir, file)
	before, err := os.ReadFile(file)
	require.NoError(t, err)

	code, _, stderr := output(t, nil, "backup", "--data", dir, file)
	require.Equal(t, 2, code)
	require.Equal(t, "cometd: "+file+" is there already; give --replace if it may be replaced\n", stderr)
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after))
	requireDone(t, "backup", "--replace", "--data", dir, file)
	entries, _ := entriesIn(t, dir)
	require.Equal(t, map[string]string{"vm": "one"}, entries)
}

func TestBackupsThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	h := serveHead(t, dir, nil)
	h.write("vm", "Planted")
	h.terminate()
	good := filepath.Join(t.TempDir(), "backup")
	requireDone(t, "backup", "--data", dir, good)
	whole, err := os.ReadFile(good)
	require.NoError(t, err)
	cut, altered := good+"-cut", good+"-altered"
	require.NoError(t, os.WriteFile(cut, whole[:len(whole)-100], 0o600))
	whole[len(whole)/2] ^= 1
	require.NoError(t, os.WriteFile(altered, whole, 0o600))
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"backup", good}, "backup needs --data DIR; see cometd backup --help"},
		{[]string{"backup", "--data", dir}, "FILE is missing"},
		{[]string{"backup", "--data", empty, good + "-new"}, "no store: stat " + filepath.Join(empty, storeName)},
		{[]string{"backup", "--data", dir, filepath.Join(empty, "missing", "backup")}, "no such file or directory"},
		{[]string{"restore", good}, "restore needs --data DIR; see cometd restore --help"},
		{[]string{"restore", "--data", dir, good + "-missing"}, good + "-missing"},
		{[]string{"restore", "--data", dir, empty}, empty + " is no backup"},
		{[]string{"restore", "--replace", "--data", dir, cut}, "the backup is truncated or was altered (" + cut + ")"},
		{[]string{"restore", "--replace", "--data", dir, altered}, "the backup is truncated or was altered (" + altered + ")"},
		{[]string{"restore", "--replace", "--data", dir, filepath.Join(dir, "certs", "ca.pem")}, "the backup is no backup of a store"},
	} {
		code, stdout, stderr := output(t, nil, c.args...)
		require.Equal(t, 2, code, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, c.says)
		require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		require.NotContains(t, stderr, "Planted")
	}
	files, err := os.ReadDir(empty)
	require.NoError(t, err)
	require.Empty(t, files)
	entries, _ := entriesIn(t, dir)
	require.Equal(t, map[string]string{"vm": "Planted"}, entries)
}

// Whenever a restore is killed, the store is the old one or the new one, and the next restore leaves nothing of it behind.
func TestKilledRestoresLeaveTheOldOrTheNew(t *testing.T) {
	from, file := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	h := serveHead(t, from, nil)
	for i := range 20 {
		h.write(fmt.Sprint("new-", i), strings.Repeat("x", 100000))
	}
	after := h.entries()
	h.terminate()
	requireDone(t, "backup", "--data", from, file)
	backup, err := os.ReadFile(file)
	require.NoError(t, err)

	dir := t.TempDir()
	h = serveHead(t, dir, nil)
	h.write("old", "one")
	h.terminate()
	before, old := entriesIn(t, dir)
	for _, fed := range []int{1, 5000, len(backup) / 2, len(backup) - 1, len(backup), len(backup), len(backup)} {
		killRestore(t, dir, backup[:fed])
		entries, identity := entriesIn(t, dir)
		if identity == old {
			require.Equal(t, before, entries)
		} else {
			require.Equal(t, len(backup), fed)
			require.Equal(t, after, entries)
		}
	}
	requireDone(t, "restore", "--replace", "--data", dir, file)
	files, err := filepath.Glob(filepath.Join(dir, storeName+"*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(dir, storeName)}, files)
}

// killRestore kills a restore as soon as it has read so much of its backup.
func killRestore(t *testing.T, dir string, fed []byte) {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	c := cometd(nil, "restore", "--replace", "--data", dir, pipe)
	require.NoError(t, c.Start())
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = io.Copy(w, bytes.NewReader(fed))
	require.NoError(t, err)
	if fed[len(fed)-1] == '\n' && len(fed) > 1 { // the end, which it has to see to go on
		require.NoError(t, w.Close())
	} else {
		defer w.Close()
	}
	require.NoError(t, c.Process.Kill())
	c.Wait()
}

// A disk that is full leaves everything as it was.
func TestFullDiskOfOperators(t *testing.T) {
	from, dir, files := t.TempDir(), t.TempDir(), t.TempDir()
	backup, exported := filepath.Join(files, "backup"), filepath.Join(files, "export")
	h := serveHead(t, from, nil)
	for i := range 5 {
		h.write(fmt.Sprint("new-", i), strings.Repeat("Planted", 20000))
	}
	h.terminate()
	requireDone(t, "backup", "--data", from, backup)
	requireDone(t, "export", "--data", from, exported)
	h = serveHead(t, dir, nil)
	h.terminate()
	_, identity := entriesIn(t, dir)
	for _, args := range [][]string{
		{"restore", "--replace", "--data", dir, backup},
		{"import", "--data", dir, exported},
		{"backup", "--replace", "--data", from, backup},
		{"export", "--replace", "--data", from, exported},
		{"backup", "--data", from, backup + "-2"},
	} {
		code, stdout, stderr := output(t, []string{maxFile + "=65536"}, args...)
		require.Equal(t, 1, code, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "file too large")
		require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		require.NotContains(t, stderr, "Planted")
	}
	left, err := os.ReadDir(files)
	require.NoError(t, err)
	require.Len(t, left, 2)
	stores, err := filepath.Glob(filepath.Join(dir, storeName+"*"))
	require.NoError(t, err)
	require.Len(t, stores, 1)
	entries, same := entriesIn(t, dir)
	require.Empty(t, entries)
	require.Equal(t, identity, same)
	requireDone(t, "restore", "--replace", "--data", dir, backup)
	entries, _ = entriesIn(t, dir)
	require.Len(t, entries, 5)
}
