package atomicfile_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// A crash can stop a rewriting in place after any byte. Each of those files gets its old content back.
func TestRecoverTornFile(t *testing.T) {
	for _, c := range [][2]string{
		{"127.0.0.1 localhost\n", "127.0.0.1 localhost\n10.0.0.1 a\n10.0.0.2 b\n"},
		{"127.0.0.1 localhost\n10.0.0.1 a\n192.0.2.1 printer\n", "127.0.0.1 localhost\n"},
		{"aaaa", "bbbb"},
		{"", "new"},
	} {
		before, after := c[0], c[1]
		for n := 1; n < len(after); n++ {
			now := after[:n]
			if n < len(before) {
				now += before[n:]
			}
			requireRecovers(t, before, after, now, before, now != before && now != after)
		}
		if len(before) > len(after) { // written, not cut off yet
			now := after + before[len(after):]
			requireRecovers(t, before, after, now, before, now != before)
		} else { // longer after a power cut, without the data
			now := before + string(make([]byte, len(after)-len(before)))
			requireRecovers(t, before, after, now, before, now != before)
		}
		requireRecovers(t, before, after, before, before, false)
		requireRecovers(t, before, after, after, after, false)
	}
}

func TestRecoverLeavesWhatOthersWrote(t *testing.T) {
	const before, after = "127.0.0.1 localhost\n", "127.0.0.1 localhost\n10.0.0.1 a\n"
	for _, now := range []string{"", "127.0.0.1 loc", after + "192.0.2.1 printer\n", "192.0.2.1 printer pr\n"} {
		requireRecovers(t, before, after, now, now, false)
	}
}

func requireRecovers(t *testing.T, before, after, now, want string, restored bool) {
	t.Helper()
	root, dir := folder(t, map[string]string{
		"etc/hosts": now, "state/.comet-old-etc%2Fhosts": before, "state/.comet-new-etc%2Fhosts": after,
		"state/.comet-tmp-.comet-old-etc%2Fhosts-0123456789abcdef": "", "etc/.comet-tmp-hosts-0123456789abcdef": "",
	})
	state := openRoot(t, filepath.Join(dir, "state"))

	got, err := atomicfile.Recover(root, "etc/hosts", atomicfile.ReplaceOptions{Backup: state})

	require.NoError(t, err)
	require.Equal(t, want, content(t, dir, "etc/hosts"), "from %q", now)
	require.Equal(t, restored, got, "from %q", now)
	require.Empty(t, ourFiles(t, filepath.Join(dir, "state")))
	require.Empty(t, ourFiles(t, filepath.Join(dir, "etc")))
}

// Without the backup of the new content the rewriting was done, or had not begun.
func TestRecoverHalfABackup(t *testing.T) {
	for _, name := range []string{".comet-old-hosts", ".comet-new-hosts"} {
		root, dir := folder(t, map[string]string{"hosts": "now", name: "no!"})
		restored, err := atomicfile.Recover(root, "hosts", atomicfile.ReplaceOptions{})
		require.NoError(t, err)
		require.False(t, restored)
		require.Equal(t, "now", content(t, dir, "hosts"))
		require.Empty(t, ourFiles(t, dir))
	}
}

func TestReplaceRecoversFirst(t *testing.T) {
	root, dir := folder(t, map[string]string{"hosts": "nLD.", ".comet-old-hosts": "OLD.", ".comet-new-hosts": "new"})

	_, err := atomicfile.Replace(root, "hosts", []byte("new"), atomicfile.ReplaceOptions{Expect: []byte("nLD.")})
	require.ErrorIs(t, err, atomicfile.ErrChanged, "what was read was torn")
	require.Equal(t, "OLD.", content(t, dir, "hosts"))
}

func TestRecoverNothing(t *testing.T) {
	root, _ := folder(t, nil)
	for _, name := range []string{"missing", "missing/too"} {
		restored, err := atomicfile.Recover(root, name, atomicfile.ReplaceOptions{})
		require.NoError(t, err)
		require.False(t, restored)
	}
}
