package guest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const foreign = "127.0.0.1\tlocalhost\r\n# m\xfcnchen\n\n10.9.9.9  mine # here\n\tno newline at the end"

func TestForeignLinesStayByteForByte(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	key := s.peer("1", "a", "10.0.0.2", "all")
	users := "# mine\nfrom=\"10.0.0.0/8\" " + newKey(t, "alice") + "\n" + key + "\n"
	m.write(hosts, foreign)
	m.write(keys, users)
	m.pass()
	assert.Equal(t, foreign+"\n"+hostsBlock("10.0.0.2\ta"), m.file(hosts))
	assert.Equal(t, users+keysBlock(key), m.file(keys))

	m.write(hosts, m.file(hosts)+"10.8.8.8 below\n")
	s.peer("2", "b", "10.0.0.3", "all")
	m.pass()
	assert.Equal(t, foreign+"\n"+hostsBlock("10.0.0.2\ta", "10.0.0.3\tb")+"10.8.8.8 below\n", m.file(hosts))

	for _, peer := range []string{"1", "2"} {
		s.remove("hostsall", peer)
		s.remove("pubkeysall", peer)
	}
	m.pass()
	m.pass() // only a second answer tells that they are gone
	assert.Equal(t, foreign+"\n10.8.8.8 below\n", m.file(hosts))
	assert.Equal(t, users, m.file(keys))
}

func TestASecondPassTouchesNothing(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	m.write(hosts, foreign)
	s.peer("1", "a", "10.0.0.2", "all")
	s.peer("2", "b", "10.0.0.3", "all")
	assert.Len(t, m.pass().Changed, 2)
	before := state(t, m.root)
	r := m.pass()
	assert.Empty(t, r.Changed)
	assert.Len(t, r.Hosts, 2)
	assert.Equal(t, before, state(t, m.root), "no file and no folder")
	s.boot(s.userData("own", "own", "all"), m.root).pass()
	assert.Equal(t, before, state(t, m.root), "nor after a restart")
}

func TestFilesKeepTheirMode(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	m.write(hosts, foreign)
	m.write(keys, "# mine\n")
	require.NoError(t, os.Chmod(filepath.Join(m.root, hosts), 0o664))
	require.NoError(t, os.Chmod(filepath.Join(m.root, keys), 0o400))
	s.peer("1", "a", "10.0.0.2", "all")
	assert.Len(t, m.pass().Changed, 2)
	assert.Equal(t, fs.FileMode(0o664), mode(t, m, hosts))
	assert.Equal(t, fs.FileMode(0o400), mode(t, m, keys))
}

func TestNewFilesHaveTheirModeWhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o077} {
		s := newSlice(t)
		m := s.vm()
		s.peer("1", "a", "10.0.0.2", "all")
		func() {
			defer syscall.Umask(syscall.Umask(umask))
			m.pass()
		}()
		for name, want := range map[string]fs.FileMode{hosts: 0o644, keys: 0o600, own: 0o600, own + ".pub": 0o644, "root/.ssh": fs.ModeDir | 0o700} {
			assert.Equal(t, want, mode(t, m, name), "%s with umask %03o", name, umask)
		}
	}
}

func mode(t *testing.T, m *machine, name string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(filepath.Join(m.root, name))
	require.NoError(t, err)
	return info.Mode()
}

// What older programs left of their blocks is mended, and does not grow.
func TestDamagedBlocksAreMended(t *testing.T) {
	whole := hostsBlock("10.0.0.2\ta")
	lines := strings.SplitAfter(whole, "\n")
	begin, line, end := lines[0], lines[1], lines[2]
	for name, tt := range map[string]struct{ before, after string }{
		"no end":             {"x\n" + begin + line + "y\n", "x\n" + whole + "y\n"},
		"begin at the end":   {"x\n" + begin, "x\n" + whole},
		"glued end":          {"x\n" + begin + strings.TrimSuffix(line, "\n") + end + "y\n", "x\n" + whole + "y\n"},
		"twice":              {whole + "x\n" + whole, whole + "x\n"},
		"again and again":    {begin + "x\n" + begin + line + begin + line + end, whole + "x\n"},
		"no begin":           {"x\n" + end, "x\n" + whole},
		"old lines":          {"x\n" + hostsBlock("10.0.0.1-24\tz", "10.0.0.2\ta"), "x\n" + whole},
		"another's block":    {inBlock("loopback", []string{"127.255.255.1\town"}), inBlock("loopback", []string{"127.255.255.1\town"}) + whole},
		"an empty file":      {"", whole},
		"windows line ends":  {strings.ReplaceAll("x\n"+whole, "\n", "\r\n"), "x\r\n" + whole},
		"commented-out mark": {"# " + begin, "# " + begin + whole},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlice(t)
			m := s.vm()
			s.peer("1", "a", "10.0.0.2", "all")
			m.write(hosts, tt.before)
			m.pass()
			assert.Equal(t, tt.after, m.file(hosts))
			m.pass()
			assert.Equal(t, tt.after, m.file(hosts))
		})
	}
}

// Whatever stands below the root, nothing outside it is read or written.
func TestTheRootIsABoundary(t *testing.T) {
	for name, link := range map[string]struct{ at, to, part string }{
		"hosts":             {"etc/hosts", "../../outside/hosts", "hosts: "},
		"a folder of hosts": {"etc", "../outside", "hosts: "},
		"authorized_keys":   {"root/.ssh/authorized_keys", "../../../outside/keys", "pubkeys"},
		"public key":        {"root/.ssh/id_rsa.pub", "../../../outside/key.pub", "publish"},
		"private key":       {"root/.ssh/id_ed25519", "../../../outside/private", "publish"},
		"folder of keys":    {"root/.ssh", "../../outside", "read "},
		"home":              {"root", "../outside", "read "},
		"absolute hosts":    {"etc/hosts", "/OUTSIDE/hosts", "hosts: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			root, outside := filepath.Join(dir, "root"), filepath.Join(dir, "outside")
			require.NoError(t, os.Mkdir(outside, 0o755))
			for _, file := range []string{"hosts", "keys", "key.pub", "private"} {
				require.NoError(t, os.WriteFile(filepath.Join(outside, file), []byte(newKey(t, "outside")+"\n"), 0o644))
			}
			at := filepath.Join(root, link.at)
			require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
			require.NoError(t, os.Symlink(strings.Replace(link.to, "/OUTSIDE", outside, 1), at))
			before := state(t, outside)

			s := newSlice(t)
			s.placeHolders("own", "own", "all")
			s.peer("1", "a", "10.0.0.2", "all")
			m := s.boot(s.userData("own", "own", "all"), root)
			_, err := m.once()
			require.ErrorContains(t, err, link.part)
			assert.Equal(t, before, state(t, outside))
			assert.NotContains(t, s.value("pubkeysall", "own"), "outside")
			assert.Contains(t, s.value("hostsall", "own"), ownAddress.String(), "other parts go on")
		})
	}
}

// A link that stays below the root is followed, an absolute one as it will count once the root is the machine's.
func TestLinksBelowTheRootAreFollowed(t *testing.T) {
	for name, to := range map[string]string{"relative": "../data/hosts", "absolute": "/data/hosts"} {
		t.Run(name, func(t *testing.T) {
			s := newSlice(t)
			m := s.vm()
			m.write("data/hosts", foreign)
			m.write("etc/other", "")
			require.NoError(t, os.Symlink(to, filepath.Join(m.root, hosts)))
			s.peer("1", "a", "10.0.0.2", "all")
			m.pass()
			assert.Equal(t, foreign+"\n"+hostsBlock("10.0.0.2\ta"), m.file("data/hosts"))
			assert.Equal(t, fs.ModeSymlink, mode(t, m, hosts).Type())
		})
	}
}

func TestAFileThatCannotBeWrittenStopsNoOther(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	key := s.peer("1", "a", "10.0.0.2", "all")
	require.NoError(t, os.MkdirAll(filepath.Join(m.root, hosts), 0o755)) // a folder in its place
	r, err := m.once()
	require.ErrorContains(t, err, "hosts: ")
	assert.Equal(t, keysBlock(key), m.file(keys))
	assert.Equal(t, []string{"/" + keys}, r.Changed)
}

// A hosts file that is a mount, as in a container, is rewritten in place. A crash may leave it with all that the guest wants in it, and
// pieces of before behind that.
func TestWhatACrashHasLeftOfAMountedFileIsMended(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	before, after := foreign+"\n"+hostsBlock("10.0.0.2\ta", "10.0.0.3\tgone"), foreign+"\n"+hostsBlock("10.0.0.2\ta")
	m.write(hosts, after+before[len(after):]) // not yet cut off
	m.write("etc/.comet-old-etc%2Fhosts", before)
	m.write("etc/.comet-new-etc%2Fhosts", after)
	m.pass()
	m.pass() // only a second answer tells that somebody is gone
	assert.Equal(t, after, m.file(hosts))
	names, err := filepath.Glob(filepath.Join(m.root, "etc", ".*"))
	require.NoError(t, err)
	assert.Empty(t, names)
}
