package contents_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// Whatever stands in a file with a right sum, it is refused, or it is entries that come out the same when they are written again.
func FuzzEntries(f *testing.F) {
	file := bytes.SplitAfter(written(f, entry("a", "one"), entry("b", "\xff")), []byte("\n"))
	f.Add(append(bytes.Clone(file[1]), file[2]...), 2)
	f.Add(file[1], 1)
	f.Add([]byte("{}\n"), 1)
	path := filepath.Join(f.TempDir(), "export")
	f.Fuzz(func(t *testing.T, lines []byte, n int) {
		read := func(text []byte) (all []contents.Entry, err error) {
			require.NoError(t, os.WriteFile(path, text, 0o600))
			in, err := contents.Open(path, nil)
			if err != nil {
				plant.RequireLine(t, err.Error())
				return nil, err
			}
			defer in.Close()
			for e, err := range in.All() {
				require.NoError(t, err)
				all = append(all, e)
			}
			require.Len(t, all, in.Entries)
			return all, nil
		}
		whole := append(bytes.Clone(file[0]), lines...)
		first, err := read(fmt.Appendf(whole, `{"entries":%d,"sha256":"%x"}`+"\n", n, sha256.Sum256(whole)))
		if err != nil {
			require.ErrorIs(t, err, contents.ErrDamaged)
			return
		}
		var b bytes.Buffer
		require.NoError(t, contents.Write(context.Background(), &b, header, all(first...)))
		again, err := read(b.Bytes())
		require.NoError(t, err)
		require.Equal(t, first, again)
	})
}

// FuzzFile: any file at all is an export that is the same when it is written again, or refused for one of the reasons that there are.
// No word of it is quoted.
func FuzzFile(f *testing.F) {
	file := written(f, entry("a", "Planted-Value"), entry("b", "\xffPlanted-Value"))
	f.Add(file)
	f.Add(file[:len(file)-1])
	f.Add(append(bytes.Clone(file[:len(file)-1]), "}\n"...))
	f.Add(bytes.Replace(file, []byte("/1"), []byte("/2"), 1))
	path := filepath.Join(f.TempDir(), "export")
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(path, text, 0o600))
		in, err := contents.Open(path, nil)
		if err != nil {
			require.ErrorContains(t, err, path)
			require.NotContains(t, err.Error(), "Planted-Value")
			plant.RequireLine(t, err.Error())
			known := errors.Is(err, contents.ErrNotExport) || errors.Is(err, contents.ErrFormat) || errors.Is(err, contents.ErrDamaged)
			require.True(t, known, "%v", err)
			return
		}
		defer in.Close()
		var b bytes.Buffer
		require.NoError(t, contents.Write(t.Context(), &b, in.Header, in.All()))
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
		again, err := contents.Open(path, nil)
		require.NoError(t, err)
		defer again.Close()
		require.Equal(t, in.Entries, again.Entries)
	})
}
