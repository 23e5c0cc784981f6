package bolt_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzRestore: a backup of whatever head and file, its sum right or not, is refused and changes nothing, or becomes a store that can be
// read.
func FuzzRestore(f *testing.F) {
	dir := f.TempDir()
	path, spare := filepath.Join(dir, "comet.db"), filepath.Join(dir, "spare.db")
	s, err := bolt.Open(spare)
	require.NoError(f, err)
	_, err = s.Apply(f.Context(), server.Change{Name: name, Tokens: tokens, Value: "one", MayCreate: true})
	require.NoError(f, err)
	var b bytes.Buffer
	require.NoError(f, s.Backup(f.Context(), &b))
	require.NoError(f, s.Close())
	first, rest, _ := bytes.Cut(b.Bytes(), []byte("\n"))
	file := rest[:len(rest)-len(sumLine(nil))]
	f.Add(append(first, '\n'), 0, []byte{}, true)
	f.Add(append(first, '\n'), 4096, []byte{1}, false)
	f.Add([]byte(`{"format":"comet-backup/1","size":9223372036854775807}`+"\n"), 16, []byte{0xff}, true)
	f.Add([]byte(`{"format":"comet-backup/2"`+"\n"), 16, []byte{0xff}, true)
	f.Fuzz(func(t *testing.T, head []byte, at int, patch []byte, right bool) {
		require.NoError(t, os.RemoveAll(path))
		whole := append(bytes.Clone(head), file...)
		copy(whole[len(head)+int(uint(at)%uint(len(file))):], patch)
		sum := sumLine(whole)
		if !right {
			sum = sumLine(nil)
		}
		_, identity, err := bolt.Restore(t.Context(), path, bytes.NewReader(append(whole, sum...)), false)
		if err != nil {
			require.ErrorContains(t, err, path)
			plant.RequireLine(t, err.Error())
			require.NoFileExists(t, path)
			return
		}
		s, err := bolt.Open(path)
		if err != nil {
			require.ErrorIs(t, err, bolt.ErrDamaged)
			return
		}
		defer s.Close()
		require.Equal(t, identity, s.Identity())
		if _, err := s.List(t.Context(), name.Context, tokens.Read, scope.Family{}); err != nil {
			require.True(t, errors.Is(err, bolt.ErrDamaged), "%v", err)
		}
	})
}

func sumLine(of []byte) []byte {
	return fmt.Appendf(nil, "{\"sha256\":\"%x\"}\n", sha256.Sum256(of))
}
