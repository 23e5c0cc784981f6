package orca_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

func TestParseProperties(t *testing.T) {
	tests := []struct {
		name, text string
		want       map[string]string
	}{
		{"separators", "a=1\nb:2\nc 3\nd = 4\ne\t:\t5\nf\n", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "f": ""}},
		{"second separator is the value's", "a==1\nb: =2\nc = : 3", map[string]string{"a": "=1", "b": "=2", "c": ": 3"}},
		{"comments", "# a=1\n ! b=2\nc=3 # kept\n", map[string]string{"c": "3 # kept"}},
		{"escapes", `a\ b\:c\=d=\t\n\r\f\\\q\u0041` + "\n", map[string]string{"a b:c=d": "\t\n\r\f\\qA"}},
		{"blanks", "  a = 1 \t\n", map[string]string{"a": "1 \t"}},
		{"continued", "a=1,\\\n   2,\\\n\t3\nb=x\\\\\nc=y", map[string]string{"a": "1,2,3", "b": `x\`, "c": "y"}},
		{"continued with CRLF", "a=1,\\\r\n   2\r\nb=3\r\n", map[string]string{"a": "1,2", "b": "3"}},
		{"continued key", "ab\\\n  cd=1", map[string]string{"abcd": "1"}},
		{"continued into a blank line", "a=1\\\n\nb=2", map[string]string{"a": "1", "b": "2"}},
		{"continued into something like a comment", "a=1\\\n#2", map[string]string{"a": "1#2"}},
		{"backslash at the end", `a=1\`, map[string]string{"a": "1"}},
		{"backslash alone", "\\\n# comment\na=1", map[string]string{"a": "1"}},
		{"old line ends", "a=1\rb=2\r", map[string]string{"a": "1", "b": "2"}},
		{"Latin-1", "name=K\xf6ln\n", map[string]string{"name": "Köln"}},
		{"UTF-8 is read as Latin-1", "name=Köln\n", map[string]string{"name": "K\u00c3\u00b6ln"}},
		{"surrogates", `smile=\uD83D\uDE00.` + "\n", map[string]string{"smile": "😀."}},
		{"last one counts", "a=1\nb=2\na=3\n", map[string]string{"a": "3", "b": "2"}},
		{"byte order mark", "\ufeffa=1\n", map[string]string{"a": "1"}},
		{"no expansion", "a=x\nb=${a}y\n", map[string]string{"a": "x", "b": "${a}y"}},
		{"empty", "", map[string]string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := orca.ParseProperties([]byte(tt.text))
			require.NoError(t, err)
			got := map[string]string{}
			for _, key := range p.Keys() {
				got[key], _ = p.Get(key)
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestParsePropertiesErrors(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		{"short escape", "a=1\nsecret=hunter2\\u12", `line 2: has a \u without four hex digits`},
		{"escape that is no hex", `secret=hunter2\u12G4`, `line 1: has a \u without four hex digits`},
		{"escape in a key", `sec\uXYZret=hunter2`, `line 1: has a \u without four hex digits`},
		{"half a character", `secret=hunter2\ud83d!`, `line 1: has half a pair of \u surrogates`},
		{"second half alone", `secret=hunter2\ude00`, `line 1: has half a pair of \u surrogates`},
		{"no key", "# comment\n\n =hunter2\n", "line 3: has no key before the ="},
		{"no key, colon", ":hunter2\n", "line 1: has no key before the :"},
		{"in a continued line", "a=1\\\n2\n\nb=hunter2\\\n\\u00", `line 4: has a \u without four hex digits`},
		{"binary", "a=hunter2\n\x00\x01\n", "line 2: has a zero byte; this is no text file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := orca.ParseProperties([]byte(tt.text))
			var at *orca.LineError
			require.ErrorAs(t, err, &at)
			assert.EqualError(t, err, tt.want)
		})
	}
}

func TestPropertiesLines(t *testing.T) {
	p, err := orca.ParseProperties([]byte("# first\na=1\nb=2,\\\n  3\nc=4\na=5\n"))
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "c"}, p.Keys())
	assert.Equal(t, []int{6, 3, 5, 0}, []int{p.Line("a"), p.Line("b"), p.Line("c"), p.Line("d")})
	assert.EqualError(t, p.Errorf("b", "is %s", "odd"), "line 3: b: is odd")
	assert.EqualError(t, p.Errorf("d", "is missing"), "d: is missing")
}

func TestUnset(t *testing.T) {
	for value, want := range map[string]bool{
		"${slice.comet.readToken}": true, "${}": true, "": false, "x": false, "${": false, "$}": false, "$": false,
		"${a}${b}": false, "${a} ": false, "x${a}": false, "{a}": false,
	} {
		assert.Equal(t, want, orca.Unset(value), value)
	}
	p := orca.NewProperties(orca.KeyValue{Key: "a", Value: scope.Hide("${b}")}, orca.KeyValue{Key: "c", Value: scope.Hide(" x ")})
	_, ok := p.Get("a")
	assert.False(t, ok)
	assert.Equal(t, "x", p.Text("c"))
	assert.Equal(t, []string{"a", "c"}, p.Keys())
	var none orca.Properties
	_, ok = none.Get("a")
	assert.False(t, ok)
	assert.Zero(t, none.Line("a"))
}

func TestFormatProperties(t *testing.T) {
	got := orca.FormatProperties(
		orca.KeyValue{Key: "slice.comet.readToken", Value: scope.Hide("aB3:x")},
		orca.KeyValue{Key: "odd key=:#!", Value: scope.Hide("  two\tlines\nand = ü 😀\\")},
		orca.KeyValue{Key: "empty"},
	)
	assert.Equal(t, `slice.comet.readToken=aB3\:x
odd\ key\=\:\#\!=\  two\tlines\nand \= \u00FC \uD83D\uDE00\\
empty=
`, string(got))
}

func TestLoadErrorsNameTheFileOnce(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	bad := filepath.Join(dir, "bad")
	require.NoError(t, os.WriteFile(bad, []byte("a\x00b"), 0o600))
	loaders := map[string]func(string) error{
		"properties": func(p string) error { _, err := orca.LoadProperties(p); return err },
		"config":     func(p string) error { _, err := orca.LoadConfig(p); return err },
		"user data":  func(p string) error { _, err := orca.LoadUserData(p); return err },
		"slice":      func(p string) error { _, err := orca.LoadSlice(p); return err },
	}
	for name, load := range loaders {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{missing, dir, bad} {
				err := load(path)
				require.Error(t, err)
				assert.Equal(t, 1, strings.Count(err.Error(), path), "%v", err)
				assert.NotContains(t, err.Error(), "\n")
			}
			require.ErrorIs(t, load(missing), os.ErrNotExist)
			var at *orca.LineError
			require.ErrorAs(t, load(bad), &at)
			assert.Equal(t, 1, at.Line)
		})
	}
}

// FuzzParseProperties: what is read is read again as it is written, or refused in one line that says where. Every ~ stands for a secret.
func FuzzParseProperties(f *testing.F) {
	for _, file := range fixtures(f, "../../testdata/*/*.properties") {
		f.Add(file.data)
	}
	f.Add([]byte("a=1\\\r\n  2\nb=\\u0041\\uD83D\\uDE00\n\\\n=x"))
	f.Add([]byte("~=~\\u00zz\n~"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := orca.ParseProperties([]byte(plant.In(string(data))))
		if err != nil {
			requirePlain(t, err)
			return
		}
		list := pairs(p)
		again, err := orca.ParseProperties(orca.FormatProperties(list...))
		require.NoError(t, err)
		require.Equal(t, list, pairs(again))
	})
}

// FuzzFormatProperties: a key and a value are read as they were, whatever is in them.
func FuzzFormatProperties(f *testing.F) {
	f.Add("unit.hostname", "workers/0")
	f.Add(" \t=:#!\\", "\n\r\f \u2028😀")
	f.Fuzz(func(t *testing.T, key, value string) {
		if key == "" || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return
		}
		p, err := orca.ParseProperties(orca.FormatProperties(orca.KeyValue{Key: key, Value: scope.Hide(value)}))
		require.NoError(t, err)
		want := []orca.KeyValue{{Key: key, Value: scope.Hide(value)}}
		if orca.Unset(value) {
			want[0].Value = scope.Hidden{}
		}
		require.Equal(t, want, pairs(p))
	})
}

// pairs returns what Get gives for every key, without lines.
func pairs(p orca.Properties) []orca.KeyValue {
	var list []orca.KeyValue
	for _, key := range p.Keys() {
		value, _ := p.Get(key)
		list = append(list, orca.KeyValue{Key: key, Value: scope.Hide(value)})
	}
	return list
}

type fixture struct {
	path string
	data []byte
}

// fixtures reads the files that a pattern finds; to find none is a failure.
func fixtures(t testing.TB, pattern string) []fixture {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, paths, pattern)
	var list []fixture
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		list = append(list, fixture{path, data})
	}
	return list
}

func ExampleParseProperties() {
	p, err := orca.ParseProperties([]byte("unit.hostname=workers/0\nunit.isrouter=${unit.isrouter}\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	name, _ := p.Get("unit.hostname")
	_, isSet := p.Get("unit.isrouter")
	fmt.Println(name, isSet, p)
	// Output: workers/0 false 2 properties
}
