package atomicfile_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

func TestReplace(t *testing.T) {
	root, dir := folder(t, map[string]string{"etc/hosts": "old\n"})
	path := filepath.Join(dir, "etc/hosts")
	require.NoError(t, os.Chmod(path, 0o640|fs.ModeSetuid|fs.ModeSetgid))
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(path, 1234, 2345))
		require.NoError(t, os.Chmod(path, 0o640|fs.ModeSetuid|fs.ModeSetgid))
	}
	var before, after unix.Stat_t
	require.NoError(t, unix.Stat(path, &before))
	defer unix.Umask(unix.Umask(0o077))

	result, err := atomicfile.Replace(root, "etc/hosts", []byte("new\n"), atomicfile.ReplaceOptions{})

	require.NoError(t, err)
	require.Equal(t, atomicfile.Result{Changed: true}, result)
	require.Equal(t, "new\n", content(t, path))
	require.NoError(t, unix.Stat(path, &after))
	require.Equal(t, []uint32{before.Uid, before.Gid, before.Mode}, []uint32{after.Uid, after.Gid, after.Mode})
	require.NotEqual(t, before.Ino, after.Ino)
	require.Empty(t, ourFiles(t, filepath.Dir(path)))
}

func TestReplaceWithTheSame(t *testing.T) {
	root, dir := folder(t, map[string]string{"hosts": "same"})
	before, err := os.Stat(filepath.Join(dir, "hosts"))
	require.NoError(t, err)

	result, err := atomicfile.Replace(root, "hosts", []byte("same"), atomicfile.ReplaceOptions{})

	require.NoError(t, err)
	require.Equal(t, atomicfile.Result{}, result)
	after, err := os.Stat(filepath.Join(dir, "hosts"))
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
	require.Equal(t, before.ModTime(), after.ModTime())
}

func TestReplaceLeavesHardLinksAlone(t *testing.T) {
	root, dir := folder(t, map[string]string{"hosts": "old"})
	require.NoError(t, os.Link(filepath.Join(dir, "hosts"), filepath.Join(dir, "twin")))
	_, err := atomicfile.Replace(root, "hosts", []byte("new"), atomicfile.ReplaceOptions{})
	require.NoError(t, err)
	require.Equal(t, "old", content(t, dir, "twin"))
}

func TestReplaceMissing(t *testing.T) {
	root, dir := folder(t, nil)

	_, err := atomicfile.Replace(root, "keys", []byte("k"), atomicfile.ReplaceOptions{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = atomicfile.Read(root, "keys", atomicfile.ReplaceOptions{})
	require.ErrorIs(t, err, fs.ErrNotExist)

	opts := atomicfile.ReplaceOptions{New: &atomicfile.Options{Mode: 0o600}, Expect: []byte{}}
	_, err = atomicfile.Replace(root, "no/keys", []byte("k"), opts)
	require.ErrorIs(t, err, fs.ErrNotExist, "the folder")
	result, err := atomicfile.Replace(root, "keys", []byte("k"), opts)
	require.NoError(t, err)
	require.True(t, result.Changed)
	info, err := os.Stat(filepath.Join(dir, "keys"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
}

func TestReplaceExpects(t *testing.T) {
	root, dir := folder(t, map[string]string{"hosts": "old"})
	for _, wrong := range []string{"", "older"} {
		_, err := atomicfile.Replace(root, "hosts", []byte("new"), atomicfile.ReplaceOptions{Expect: []byte(wrong)})
		require.ErrorIs(t, err, atomicfile.ErrChanged)
	}
	_, err := atomicfile.Replace(root, "missing", nil, atomicfile.ReplaceOptions{Expect: []byte("old"), New: &atomicfile.Options{}})
	require.ErrorIs(t, err, atomicfile.ErrChanged)
	require.Equal(t, "old", content(t, dir, "hosts"))

	seen, err := atomicfile.Read(root, "hosts", atomicfile.ReplaceOptions{})
	require.NoError(t, err)
	_, err = atomicfile.Replace(root, "hosts", append(seen, "er"...), atomicfile.ReplaceOptions{Expect: seen})
	require.NoError(t, err)
	require.Equal(t, "older", content(t, dir, "hosts"))
}

// Somebody else writes the file all the while; sooner or later that falls between reading and renaming.
func TestReplaceNoticesAnotherWriter(t *testing.T) {
	root, dir := folder(t, map[string]string{"hosts": "old"})
	path := filepath.Join(dir, "hosts")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_ = os.WriteFile(path, make([]byte, i%1000), 0o644)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()

	var err error
	for i := 0; err == nil && i < 10000; i++ {
		_, err = atomicfile.Replace(root, "hosts", fmt.Append(nil, "mine ", i), atomicfile.ReplaceOptions{})
	}
	require.ErrorIs(t, err, atomicfile.ErrChanged)
	require.Empty(t, ourFiles(t, dir))
}

func TestReplaceOnlyRegularFiles(t *testing.T) {
	root, dir := folder(t, map[string]string{"folder/file": ""})
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	for _, name := range []string{"pipe", "folder", ".", "", "../up", "/etc/hosts", "folder/file/below"} {
		_, err := atomicfile.Replace(root, name, nil, atomicfile.ReplaceOptions{New: &atomicfile.Options{}})
		require.Error(t, err, name)
		_, err = atomicfile.Read(root, name, atomicfile.ReplaceOptions{})
		require.Error(t, err, name)
	}
}

func TestReplaceThroughLinks(t *testing.T) {
	const target = "run/real"
	cases := []struct {
		name  string
		links map[string]string
		file  string
		want  string // part of the error; empty: target is replaced
	}{
		{"to a file", map[string]string{"etc/hosts": "../run/real"}, "etc/hosts", ""},
		{"absolute, below the root", map[string]string{"etc/hosts": "/run/real"}, "etc/hosts", ""},
		{"in the folder", map[string]string{"etc/link": "/run"}, "etc/link/real", ""},
		{"chain", map[string]string{"a": "b", "b": "./etc/c/", "etc/c": "../run//real"}, "a", ""},
		{"folder link, missing file", map[string]string{"etc/link": "../run"}, "etc/link/fresh", "no such file"},
		{"to nothing", map[string]string{"etc/hosts": "nothing"}, "etc/hosts", "link to nothing"},
		{"through nothing", map[string]string{"etc/hosts": "no/thing"}, "etc/hosts", "link to nothing"},
		{"out", map[string]string{"etc/hosts": "../../outside"}, "etc/hosts", "out of the root"},
		{"out and in again", map[string]string{"etc/hosts": "../../root/run/real"}, "etc/hosts", "out of the root"},
		{"circle", map[string]string{"a": "b", "b": "a"}, "a", "too many"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, top := folder(t, map[string]string{"outside": "mine", "root/etc/x": "", "root/run/real": "old"})
			dir := filepath.Join(top, "root")
			root := openRoot(t, dir)
			for link, to := range c.links {
				require.NoError(t, os.Symlink(to, filepath.Join(dir, link)))
			}

			_, err := atomicfile.Replace(root, c.file, []byte("new"), atomicfile.ReplaceOptions{NoLinks: true})
			require.ErrorContains(t, err, "symbolic link", "no links allowed")
			_, err = atomicfile.Replace(root, c.file, []byte("new"), atomicfile.ReplaceOptions{})

			require.Equal(t, "mine", content(t, top, "outside"))
			for link := range c.links {
				info, err := os.Lstat(filepath.Join(dir, link))
				require.NoError(t, err)
				require.Equal(t, fs.ModeSymlink, info.Mode().Type(), "the link stays")
			}
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "new", content(t, dir, target))
		})
	}
}

func TestReplaceMakesAFileBelowALinkedFolder(t *testing.T) {
	root, dir := folder(t, map[string]string{"run/x": ""})
	require.NoError(t, os.Symlink("run", filepath.Join(dir, "etc")))
	_, err := atomicfile.Replace(root, "etc/hosts", []byte("new"), atomicfile.ReplaceOptions{New: &atomicfile.Options{}})
	require.NoError(t, err)
	require.Equal(t, "new", content(t, dir, "run/hosts"))
}

// Users may make files of theirs as long as they like, and root reads them.
func TestAFileThatIsTooLongIsNotRead(t *testing.T) {
	root, dir := folder(t, map[string]string{"keys": ""})
	require.NoError(t, os.Truncate(filepath.Join(dir, "keys"), 100<<30))
	_, err := atomicfile.Read(root, "keys", atomicfile.ReplaceOptions{})
	require.ErrorContains(t, err, "is longer than 16 MiB")
	_, err = atomicfile.Replace(root, "keys", []byte("x"), atomicfile.ReplaceOptions{})
	require.ErrorContains(t, err, "is longer than 16 MiB")
}
