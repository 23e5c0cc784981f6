package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTake(t *testing.T) {
	r := &report{Runs: map[string]string{}, Results: map[string]map[string][]float64{}}
	for range 2 {
		take := r.take(suite{name: "s"})
		for _, line := range []string{
			"goos: linux\n",
			"BenchmarkA/read/16-2         \t       8\t         0 ns/op\t      6369 calls/s\t         0.8985 of-theirs\n",
			"BenchmarkB \t 1 \t 1e3 MB\n", // as one core says it
			"BenchmarkC-2   \t 8 \t not a number\n",
			"BenchmarkD-2   \t 8 \t 12\n",
			"--- BENCH: BenchmarkA-2\n",
			"PASS\n",
		} {
			take(line)
		}
	}
	require.Equal(t, map[string]map[string][]float64{
		"s BenchmarkA/read/16": {"ns/op": {0, 0}, "calls/s": {6369, 6369}, "of-theirs": {0.8985, 0.8985}},
		"s BenchmarkB":         {"MB": {1000, 1000}},
	}, r.Results)
}

func TestTable(t *testing.T) {
	shown := table{
		rowsAre: "what", columns: []column{{"s", "s", 1}, {"never", "none", 0}, {"MB", "MB", 0}},
		rows: []row{{"first", "", "a", "BenchmarkA"}, {"not in this run", "", "a", "BenchmarkB"}, {"lacking", "", "b", "BenchmarkC"}},
	}
	r := &report{Missing: map[string]string{"b": "there is no b"}, Results: map[string]map[string][]float64{
		"a BenchmarkA": {"s": {3, 1, 2, 2}, "MB": {7.1, 7.2, 6.9}},
	}}
	require.Equal(t, ""+
		"| what    | s             | MB |\n"+
		"| ------- | ------------- | -- |\n"+
		"| first   | 2.0 (1.0–3.0) | 7  |\n"+
		"| lacking | –             | –  |\n", r.table(shown))
	require.Equal(t, "Nothing of it was measured.\n", (&report{}).table(shown))
}

func TestFileSystem(t *testing.T) {
	const mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp xfs rw 0 0\nnonsense\n/dev/c /with\\040blank btrfs rw 0 0\n"
	for folder, want := range map[string]string{
		"/": "ext4", "/nowhere": "ext4", "/tmpfoo": "ext4", "/tmp": "xfs", "/tmp/nowhere/x": "xfs", "/with blank/x": "btrfs",
	} {
		assert.Equal(t, want, fileSystem(mounts, folder), folder)
	}
	assert.Equal(t, unknown, fileSystem("", "/tmp"))
}

func TestSVG(t *testing.T) {
	text := chart{title: "A < B & C", axis: "seconds", source: "here", reference: 1, bars: []bar{
		{"first", "0.50", 0.25, 0.5, 0.75}, {"second", "12", 12, 12, 12},
	}}.svg()
	words := wordsOf(t, text)
	for _, want := range []string{"A < B & C", "seconds", "here", "first", "second", "0.50", "12", "0", "10"} {
		assert.Contains(t, words, want)
	}
	assert.NotContains(t, text, "NaN")
	assert.NotContains(t, chart{bars: []bar{{"nothing", "0", 0, 0, 0}}}.svg(), "NaN")
}

// wordsOf is what stands between the tags of well-formed XML.
func wordsOf(t *testing.T, text string) (words []string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return words
		}
		require.NoError(t, err)
		if data, ok := token.(xml.CharData); ok {
			words = append(words, string(data))
		}
	}
}

// The README, and the text and plots beside it, show the run that is kept here, and no other. With UPDATE set they are made to.
func TestTheREADMEShowsTheRunThatIsKept(t *testing.T) {
	const path = "../../README.md"
	text, err := os.ReadFile("figures/figures.json")
	require.NoError(t, err)
	var r report
	require.NoError(t, json.Unmarshal(text, &r))
	require.False(t, r.Short)
	require.NoError(t, r.failed())
	readme, err := os.ReadFile(path)
	require.NoError(t, err)
	want := filled(t, string(readme), &r)
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		require.NoError(t, r.write("figures", tables))
		return
	}
	assert.Equal(t, want, string(readme))

	dir := t.TempDir()
	require.NoError(t, r.write(dir, tables))
	made, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, file := range made {
		want, err := os.ReadFile(filepath.Join(dir, file.Name()))
		require.NoError(t, err)
		kept, err := os.ReadFile(filepath.Join("figures", file.Name()))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(kept), file.Name())
	}
}

// filled is the text with what the run says between its marks, each of which names a table, or "run".
func filled(t *testing.T, text string, r *report) string {
	t.Helper()
	inside := map[string]string{"run": r.On.String() + "\n"}
	for _, table := range tables {
		inside[table.name] = table.title + ":\n\n" + r.table(table)
		for _, p := range table.plots {
			inside[table.name] += "\n![" + p.title + "](examples/bench/figures/" + p.file + ")\n"
		}
	}
	marks := regexp.MustCompile(`(?s)(<!-- figures: (\w+) -->\n).*?(<!-- end -->\n)`)
	text = marks.ReplaceAllStringFunc(text, func(marked string) string {
		part := marks.FindStringSubmatch(marked)
		what, found := inside[part[2]]
		require.True(t, found, "there is no table %s, or it is there twice", part[2])
		delete(inside, part[2])
		return part[1] + what + part[3]
	})
	require.Empty(t, inside, "the README has no marks for these")
	return text
}
