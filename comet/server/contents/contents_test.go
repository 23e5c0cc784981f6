package contents_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/scope"
)

var header = contents.Header{Store: "IDENTITY", Taken: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC), Key: digest.NewKey()}

func entry(key, value string) contents.Entry {
	n := scope.MustName("slice", "hostsall", key)
	return contents.Entry{
		Name:     n,
		Read:     header.Key.Read(n.Context, scope.MustToken("Read-Token-0001")),
		Write:    header.Key.Write(n.Context, scope.MustToken("Write-Token-0001")),
		Value:    value,
		Modified: time.UnixMilli(1700000000123).UTC(),
	}
}

func all(entries ...contents.Entry) contents.Entries {
	return func(yield func(contents.Entry, error) bool) {
		for _, r := range entries {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func written(t require.TestingT, entries ...contents.Entry) []byte {
	var b bytes.Buffer
	require.NoError(t, contents.Write(context.Background(), &b, header, all(entries...)))
	return b.Bytes()
}

func open(t *testing.T, file []byte) (*contents.File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "export")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	f, err := contents.Open(path, nil)
	if err != nil {
		require.ErrorContains(t, err, path)
		require.NotContains(t, err.Error(), "\n")
		require.NotContains(t, err.Error(), "Planted")
		return nil, err
	}
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f, nil
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var entries []contents.Entry
		for i := range rapid.IntRange(0, 5).Draw(rt, "entries") {
			r := entry(fmt.Sprint(i), string(rapid.SliceOf(rapid.Byte()).Draw(rt, "value")))
			r.Owner = rapid.StringN(-1, -1, server.MaxOwner).Draw(rt, "owner")
			r.Modified = time.UnixMilli(rapid.Int64Range(0, 1<<45).Draw(rt, "modified")).UTC()
			entries = append(entries, r)
		}
		file := written(rt, entries...)
		f, err := open(t, file)
		require.NoError(rt, err)
		require.Equal(rt, len(entries), f.Entries)
		require.EqualValues(rt, len(file), f.Size)
		require.Equal(rt, header.Store, f.Store)
		require.Equal(rt, header.Taken, f.Taken)
		require.True(rt, header.Key.Equal(f.Key))
		for range 2 {
			var read []contents.Entry
			for r, err := range f.All() {
				require.NoError(rt, err)
				read = append(read, r)
			}
			require.Equal(rt, entries, read)
		}
	})
}

func TestFilesThatAreNotWholeAreRefused(t *testing.T) {
	file := written(t, entry("a", "Planted"), entry("b", "Planted"))
	for n := range file {
		_, err := open(t, file[:n])
		if n > 0 && n < 24 { // may be anything
			require.ErrorIs(t, err, contents.ErrNotExport)
		} else {
			require.ErrorIs(t, err, contents.ErrDamaged)
		}
	}
	for i := range file {
		altered := bytes.Clone(file)
		altered[i] ^= 1
		_, err := open(t, altered)
		require.Error(t, err, "byte %d", i)
	}
	lines := bytes.SplitAfter(file, []byte("\n"))
	for _, other := range [][]byte{
		append(bytes.Clone(file), '\n'),
		append(bytes.Clone(file[:len(file)-1]), "}\n"...),
		append(bytes.Clone(file), file...),
		bytes.Join([][]byte{lines[0], lines[2], lines[1], lines[3]}, nil),
		bytes.Join([][]byte{lines[0], lines[1], lines[3]}, nil),
		bytes.Join([][]byte{lines[0], lines[1], lines[1], lines[3]}, nil),
	} {
		_, err := open(t, other)
		require.ErrorIs(t, err, contents.ErrDamaged)
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	for _, text := range []string{"text\n", "{}\n", strings.Repeat("x", 20<<20), `{"entries":0,"sha256":""}` + "\n"} {
		_, err := open(t, []byte(text))
		require.ErrorIs(t, err, contents.ErrNotExport)
	}
	later := bytes.Replace(written(t), []byte("comet-export/1"), []byte("comet-export/2"), 1)
	_, err := open(t, later)
	require.ErrorIs(t, err, contents.ErrFormat)
	_, err = contents.Open(t.TempDir(), nil)
	require.ErrorIs(t, err, contents.ErrNotExport)
	_, err = contents.Open(filepath.Join(t.TempDir(), "missing"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A file that somebody wrote by hand may have a right sum.
func TestLinesThatMakeNoSense(t *testing.T) {
	good := strings.SplitAfter(string(written(t, entry("a", "Planted"))), "\n")
	for what, change := range map[string][2]string{
		"no context":       {`"context":"slice"`, `"context":""`},
		"a short digest":   {`"read":"`, `"read":"AAAA","x":"`},
		"unknown member":   {`"family":`, `"more":1,"family":`},
		"no value":         {`,"value":"Planted"`, ``},
		"two values":       {`,"value":"Planted"`, `,"value":"Planted","bytes":"AAAA"`},
		"a number":         {`"value":"Planted"`, `"value":1`},
		"no time":          {`"modified":"2023-11-14T22:13:20.123Z"`, `"modified":"Planted"`},
		"before all times": {`"modified":"2023`, `"modified":"1923`},
		"a long owner":     {`"value":"Planted"`, `"value":"Planted","owner":"` + strings.Repeat("x", server.MaxOwner+1) + `"`},
		"a large value":    {`Planted`, strings.Repeat("x", 1<<20+1)},
	} {
		line := strings.Replace(good[1], change[0], change[1], 1)
		require.NotEqual(t, good[1], line, what)
		whole := good[0] + line
		whole += fmt.Sprintf(`{"entries":1,"sha256":"%x"}`+"\n", sha256.Sum256([]byte(whole)))
		_, err := open(t, []byte(whole))
		require.ErrorIs(t, err, contents.ErrDamaged, what)
		require.ErrorContains(t, err, "line 2", what)
	}
}

func TestHeaderPrintsNoKey(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		require.Contains(t, fmt.Sprintf(verb, header), "[redacted]")
	}
}

func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "export")
	save := func(replace bool, text string, check error) error {
		return contents.Save(path, replace, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}, func(f *os.File) error {
			read, err := io.ReadAll(f)
			require.NoError(t, err)
			require.Equal(t, text, string(read))
			return check
		})
	}
	ill := errors.New("ill")
	requireFile := func(text string) {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
		files, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Len(t, files, 1)
	}
	require.ErrorIs(t, save(false, "one", ill), ill)
	require.NoFileExists(t, path)
	require.NoError(t, save(false, "two", nil))
	requireFile("two")
	require.ErrorIs(t, save(false, "three", nil), contents.ErrExists)
	require.ErrorIs(t, save(true, "four", ill), ill)
	requireFile("two")
	require.NoError(t, save(true, "five", nil))
	requireFile("five")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}
