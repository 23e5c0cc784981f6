package atomicfile_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

const leftover = ".comet-tmp-state-0000000000000000"

func TestWriteMode(t *testing.T) {
	for _, umask := range []int{0, 0o077, 0o777} {
		for _, c := range []struct{ mode, want fs.FileMode }{{0, 0o600}, {0o600, 0o600}, {0o644, 0o644}, {0o400, 0o400}} {
			t.Run(fmt.Sprintf("%o under %o", c.mode, umask), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "state")
				defer unix.Umask(unix.Umask(umask))
				for _, text := range []string{"one", "two, longer", ""} {
					require.NoError(t, atomicfile.Write(path, []byte(text), atomicfile.Options{Mode: c.mode}))
					info, err := os.Stat(path)
					require.NoError(t, err)
					require.Equal(t, c.want, info.Mode())
					require.EqualValues(t, len(text), info.Size())
				}
			})
		}
	}
}

func TestWriteOwner(t *testing.T) {
	needs.Root(t, "give files away")
	path := filepath.Join(t.TempDir(), "state")
	opts := atomicfile.Options{Owner: &atomicfile.Owner{UID: 1234, GID: 2345}, Mode: 0o640}
	require.NoError(t, atomicfile.Write(path, nil, opts))
	var st unix.Stat_t
	require.NoError(t, unix.Stat(path, &st))
	require.Equal(t, []uint32{1234, 2345, 0o640}, []uint32{st.Uid, st.Gid, st.Mode & 0o7777})
}

func TestWriteReplacesALink(t *testing.T) {
	_, dir := folder(t, map[string]string{"other": "mine"})
	path := filepath.Join(dir, "state")
	require.NoError(t, os.Symlink("other", path))

	require.NoError(t, atomicfile.Write(path, []byte("new"), atomicfile.Options{}))

	require.Equal(t, "mine", content(t, dir, "other"))
	require.Equal(t, "new", content(t, path))
}

func TestWriteFails(t *testing.T) {
	_, dir := folder(t, map[string]string{"taken/file": ""})
	err := atomicfile.Write(filepath.Join(dir, "missing", "state"), nil, atomicfile.Options{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, filepath.Join("missing", "state"))

	require.Error(t, atomicfile.Write(filepath.Join(dir, "taken"), nil, atomicfile.Options{}), "a folder is in the way")
	require.Empty(t, ourFiles(t, dir))
}

func TestWriteSweepsWhatACrashLeft(t *testing.T) {
	others := map[string]string{
		".comet-tmp-state":                          "no digits",
		".comet-tmp-state-0123456789abcdeg":         "no hexadecimal digits",
		".comet-tmp-state-2-0123456789abcdef":       "of another file",
		".comet-tmp-0123456789abcdef":               "of none",
		".comet-tmp-state-0123456789abcdef-foreign": "longer",
	}
	_, dir := folder(t, others)
	require.NoError(t, os.WriteFile(filepath.Join(dir, leftover), nil, 0o600))
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, ".comet-tmp-state-0000000000000001"), 0o600), "to wait for is a trap")

	require.NoError(t, atomicfile.Write(filepath.Join(dir, "state"), nil, atomicfile.Options{}))

	require.NoFileExists(t, filepath.Join(dir, leftover))
	require.Len(t, ourFiles(t, dir), len(others)+1)
}

// A folder with many files is not read for each that comes to it.
func TestWriteCostsTheSameInALargeFolder(t *testing.T) {
	_, dir := folder(t, nil)
	path := filepath.Join(dir, "state")
	write := func() { assert.NoError(t, atomicfile.Write(path, nil, atomicfile.Options{})) }
	few := testing.AllocsPerRun(5, write)
	for i := range 2000 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("other", i)), nil, 0o600))
	}
	assert.Less(t, testing.AllocsPerRun(5, write), few+100)
}

func TestWriteLeavesTheFileOfALiveWriter(t *testing.T) {
	_, dir := folder(t, nil)
	live, err := os.Create(filepath.Join(dir, leftover))
	require.NoError(t, err)
	defer live.Close()
	require.NoError(t, unix.Flock(int(live.Fd()), unix.LOCK_EX))

	require.NoError(t, atomicfile.Write(filepath.Join(dir, "state"), nil, atomicfile.Options{}))
	require.FileExists(t, live.Name())
}

func TestWriteConcurrently(t *testing.T) {
	_, dir := folder(t, nil)
	path := filepath.Join(dir, "state")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				text := strings.Repeat(string(rune('a'+i)), 1000*(i+1))
				if !assert.NoError(t, atomicfile.Write(path, []byte(text), atomicfile.Options{})) {
					return
				}
				seen, err := os.ReadFile(path)
				assert.NoError(t, err)
				assert.True(t, len(seen)%1000 == 0 && strings.Count(string(seen), string(seen[:1])) == len(seen), "torn")
			}
		})
	}
	all.Wait()
	require.Empty(t, ourFiles(t, dir))
}
