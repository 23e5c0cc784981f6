package bolt_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

const pageSize = 4096

// filled returns the bytes of a store with 200 entries, key to value alike.
func filled(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "comet.db")
	s, err := bolt.Open(path)
	require.NoError(t, err)
	var changes []server.Change
	for i := range 200 {
		k := fmt.Sprintf("vm-%d", i)
		changes = append(changes, server.Change{Name: scope.MustName("slice", "hostsall", k), Tokens: tokens, Value: k + strings.Repeat("x", 300), MayCreate: true})
	}
	_, err = s.Apply(t.Context(), changes...)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// refused opens a file with these bytes, which must not work and must not change them.
func refused(t *testing.T, content []byte, reason error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "comet.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	_, err := bolt.Open(path)
	require.ErrorIs(t, err, reason)
	require.Contains(t, err.Error(), path)
	require.NotContains(t, err.Error(), "\n")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, after), "the file was changed")
}

func TestTruncatedFilesAreRefused(t *testing.T) {
	whole := filled(t)
	for _, n := range []int{0, 1, 7, 15, 16, 20, 79, 80, 4095, 4096, 4097, 8191, 8192, 8193} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { refused(t, whole[:n], bolt.ErrDamaged) })
	}
}

// Behind the last page in use bbolt keeps room, which may go; everything before may not.
func TestFilesCutAtAnyPageOpenWholeOrNotAtAll(t *testing.T) {
	whole := filled(t)
	opened, kept := 0, 0
	for n := 0; n <= len(whole); n += pageSize {
		path := filepath.Join(t.TempDir(), "comet.db")
		require.NoError(t, os.WriteFile(path, whole[:n], 0o600))
		s, err := bolt.Open(path)
		if err != nil {
			require.ErrorIs(t, err, bolt.ErrDamaged)
			require.Zero(t, opened, "a shorter file was taken")
			continue
		}
		opened++
		l, err := s.List(t.Context(), name.Context, tokens.Read, scope.Family{})
		require.NoError(t, err)
		kept = len(l.Entries)
		require.Equal(t, 200, kept)
		require.NoError(t, s.Close())
	}
	require.Equal(t, 200, kept)
}

func TestForeignFilesAreRefused(t *testing.T) {
	for what, content := range map[string]string{
		"text":      "hello\n",
		"long text": strings.Repeat("hello\n", 10000),
		"sqlite":    "SQLite format 3\x00" + strings.Repeat("\x00", 20000),
		"zeros":     strings.Repeat("\x00", 20000),
		"ones":      strings.Repeat("\xff", 20000),
	} {
		t.Run(what, func(t *testing.T) { refused(t, []byte(content), bolt.ErrNotStore) })
	}
}

// other makes a bbolt file that another program could have made.
func other(t *testing.T, options *bbolt.Options, fill func(*bbolt.Tx) error) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := bbolt.Open(path, 0o600, options)
	require.NoError(t, err)
	require.NoError(t, db.Update(fill))
	require.NoError(t, db.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func table(name, key, value string) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte(name))
		if err != nil {
			return err
		}
		return b.Put([]byte(key), []byte(value))
	}
}

func TestFilesOfOtherProgramsAndVersionsAreRefused(t *testing.T) {
	t.Run("another table", func(t *testing.T) {
		refused(t, other(t, nil, table("members", "a", "b")), bolt.ErrNotStore)
	})
	t.Run("another meta", func(t *testing.T) {
		refused(t, other(t, nil, table("meta", "a", "b")), bolt.ErrNotStore)
	})
	t.Run("without a list of free pages", func(t *testing.T) {
		refused(t, other(t, &bbolt.Options{NoFreelistSync: true}, table("members", "a", "b")), bolt.ErrNotStore)
	})
	t.Run("a later format", func(t *testing.T) {
		refused(t, other(t, nil, table("meta", "format", "comet/2")), bolt.ErrFormat)
	})
	t.Run("half a store", func(t *testing.T) {
		refused(t, other(t, nil, table("meta", "format", "comet/1")), bolt.ErrDamaged)
	})
}

// A head must live through a disk that loses a page: the call fails, not the process.
func TestLostPagesAreErrorsNotCrashes(t *testing.T) {
	whole := filled(t)
	failed := 0
	for page := 0; page < len(whole)/pageSize; page++ {
		content := bytes.Clone(whole)
		clear(content[page*pageSize : (page+1)*pageSize])
		path := filepath.Join(t.TempDir(), "comet.db")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		s, err := bolt.Open(path)
		if err != nil {
			failed++
			continue
		}
		for i := range 200 {
			k := fmt.Sprintf("vm-%d", i)
			e, found, err := s.Read(t.Context(), scope.MustName("slice", "hostsall", k), tokens.Read)
			if err != nil {
				assert.ErrorIs(t, err, bolt.ErrDamaged)
				failed++
			} else if found {
				assert.Equal(t, k+strings.Repeat("x", 300), e.Value)
			}
		}
		require.NoError(t, s.Close())
	}
	require.NotZero(t, failed)
}

func TestFileThatIsCutWhileInUseIsAnErrorNotACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "comet.db")
	require.NoError(t, os.WriteFile(path, filled(t), 0o600))
	s := open(t, path)
	require.NoError(t, os.Truncate(path, 2*pageSize))
	_, err := s.List(t.Context(), name.Context, tokens.Read, scope.Family{})
	require.ErrorIs(t, err, bolt.ErrDamaged)
}

func TestOneProcessAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "comet.db")
	s, err := bolt.Open(path)
	require.NoError(t, err)
	_, err = bolt.Open(path)
	require.ErrorIs(t, err, bolt.ErrInUse)
	require.Contains(t, err.Error(), path)
	require.NoError(t, s.Close())
	require.NoError(t, open(t, path).Close())
}

// A store that is being written is in use, never damaged, at whatever moment one looks.
func TestBusyStoresAreInUseNotDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "comet.db")
	s := open(t, path)
	written := make(chan bool)
	go func() {
		defer close(written)
		for i := range 500 {
			_, err := s.Apply(context.Background(), server.Change{Name: name, Tokens: tokens, Value: fmt.Sprint(i), MayCreate: true})
			assert.NoError(t, err)
		}
	}()
	for looking := true; looking; {
		select {
		case <-written:
			looking = false
		default:
			assert.NoError(t, bolt.CheckFile(path))
		}
	}
}

func TestPathsThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	_, err := bolt.Open(dir)
	require.ErrorContains(t, err, dir)
	_, err = bolt.Open(filepath.Join(dir, "missing", "comet.db"))
	require.ErrorIs(t, err, os.ErrNotExist)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files)
}

// Every later version must read this file, or say that it does not.
func TestFormat1CanBeRead(t *testing.T) {
	content, err := os.ReadFile("testdata/format-1.db")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "comet.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	s := open(t, path)
	require.Equal(t, "2OE5U434SD4GBRDZ2D7LDUXIVW", s.Identity())
	requireValue(t, s, "a", "one")
	requireValue(t, s, "b", "two")
	require.Equal(t, []string{"1 put hostsall/a", "3 put hostsall/b", "5 removed hostsall/c"}, s.Changes(name.Context, tokens.Read, 0))
	require.Equal(t, []string{"hostsall/c 5"}, s.Removed(name.Context, tokens.Read))
	require.EqualValues(t, 6, put(t, s, "b", "three").Revision)
}
