package users_test

import (
	"crypto/ed25519"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/sshkey"
	"github.com/renci-nrig/comet-go/comet/guest/internal/users"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

func TestMain(m *testing.M) { frametest.Main(m) }

// vm is a machine with the users that are wanted on it.
type vm struct {
	*testing.T
	machine *frame.Machine
	wanted  frame.Wanted[scope.User]
}

func newVM(t *testing.T) *vm {
	t.Helper()
	needs.Program(t, "useradd", "passwd")
	needs.Program(t, "visudo", "sudo")
	return &vm{T: t, machine: frametest.Machine(t), wanted: frame.Wanted[scope.User]{Whole: true}}
}

// module is that of a guest that was just started.
func (v *vm) module() *users.Users {
	return users.New(v.machine, func() (frame.Wanted[scope.User], error) { return v.wanted, nil })
}

func (v *vm) want(users ...scope.User) { v.wanted.Elements = users }

// apply makes all of it, after which there is nothing left to do.
func (v *vm) apply() frame.Report {
	v.Helper()
	r := frametest.Apply(v, v.machine, v.module())
	require.NoError(v, r.Err)
	frametest.Settled(v, v.module())
	return r
}

func user(login, sudo string, keys ...string) scope.User {
	return scope.User{Login: login, Sudo: sudo, Keys: keys}
}

func newKey(t testing.TB, comment string) string {
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return sshkey.Line(key, comment)
}

func keyBlock(lines ...string) string {
	return "### BEGIN NEuca comet user keys modifications - DO NOT EDIT BETWEEN THESE LINES. ###\n" +
		strings.Join(lines, "\n") + "\n### END NEuca comet user keys modifications - DO NOT EDIT BETWEEN THESE LINES. ###\n"
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
	return string(out)
}

// attributes are a file's mode and owner.
func attributes(t testing.TB, file string) (fs.FileMode, uint32) {
	t.Helper()
	info, err := os.Lstat(file)
	require.NoError(t, err)
	return info.Mode(), info.Sys().(*syscall.Stat_t).Uid
}

func TestUsersComeAndGo(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	one, two := newKey(t, "alice@host:22"), `from="2001:db8::1,10.0.0.0/8" `+newKey(t, "bob")
	v.want(user("alice", "yes", one), user("b.ob", "no", scope.JoinKeys([]string{two, one})), user("root", "yes", one))
	assert.Equal(t, 3, v.apply().Plan.Count)

	const keys = "/home/alice/.ssh/authorized_keys"
	assert.Equal(t, keyBlock(one), frametest.Read(t, keys))
	assert.Equal(t, []byte(keyBlock(two, one)), []byte(frametest.Read(t, "/home/b.ob/.ssh/authorized_keys")))
	assert.Contains(t, frametest.Read(t, "/root/.ssh/authorized_keys"), keyBlock(one))
	for file, want := range map[string]fs.FileMode{keys: 0o600, filepath.Dir(keys): fs.ModeDir | 0o700} {
		mode, uid := attributes(t, file)
		assert.Equal(t, want, mode, file)
		assert.Equal(t, strings.TrimSpace(run(t, "id", "-u", "alice")), strings.TrimSpace(run(t, "stat", "-c", "%u", file)))
		assert.NotZero(t, uid)
	}
	const sudoers = "/etc/sudoers.d/comet-alice"
	mode, uid := attributes(t, sudoers)
	assert.Equal(t, fs.FileMode(0o440), mode)
	assert.Zero(t, uid)
	assert.Contains(t, run(t, "sudo", "-l", "-U", "alice"), "NOPASSWD: ALL")
	assert.Contains(t, run(t, "sudo", "-l", "-U", "b.ob"), "not allowed")
	assert.NoFileExists(t, "/etc/sudoers.d/comet-root")

	v.want(user("alice", "no", two), user("b.ob", "yes", two))
	v.apply()
	assert.Equal(t, keyBlock(two), frametest.Read(t, keys))
	assert.NoFileExists(t, sudoers)
	assert.Contains(t, run(t, "sudo", "-l", "-U", "b.ob"), "NOPASSWD: ALL")
	assert.NotContains(t, frametest.Read(t, "/root/.ssh/authorized_keys"), "NEuca")

	frametest.Write(t, keys, "# mine\n"+frametest.Read(t, keys), 0o600)
	v.want()
	v.apply()
	assert.Equal(t, "# mine\n", frametest.Read(t, keys))
	assert.Empty(t, frametest.Read(t, "/home/b.ob/.ssh/authorized_keys"))
	assert.Contains(t, run(t, "sudo", "-l", "-U", "b.ob"), "not allowed")
	assert.Contains(t, run(t, "chage", "-l", "alice"), "Jan 02, 1970")

	v.want(user("alice", "no", one))
	v.apply()
	assert.Regexp(t, `Account expires\s*: never`, run(t, "chage", "-l", "alice"))
	assert.Equal(t, "# mine\n"+keyBlock(one), frametest.Read(t, keys))
}

func TestAccountsOfOthersAreRespected(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	run(t, "useradd", "-m", "-d", "/srv/carol", "-g", "users", "-s", "/bin/false", "carol")
	require.NoError(t, os.Mkdir("/srv/carol/.ssh", 0o755))
	own := newKey(t, "own")
	frametest.Write(t, "/srv/carol/.ssh/authorized_keys", own, 0o644)
	before := run(t, "getent", "shadow", "carol") + run(t, "getent", "passwd", "carol")
	key := newKey(t, "k")

	v.want(user("carol", "yes", key))
	v.apply()
	assert.Equal(t, own+"\n"+keyBlock(key), frametest.Read(t, "/srv/carol/.ssh/authorized_keys"))
	mode, uid := attributes(t, "/srv/carol/.ssh/authorized_keys")
	assert.Equal(t, fs.FileMode(0o644), mode, "her file keeps its mode")
	assert.Zero(t, uid, "and its owner")
	assert.Contains(t, run(t, "sudo", "-l", "-U", "carol"), "NOPASSWD: ALL")

	v.want()
	v.apply()
	assert.Equal(t, own+"\n", frametest.Read(t, "/srv/carol/.ssh/authorized_keys"))
	assert.Contains(t, run(t, "sudo", "-l", "-U", "carol"), "not allowed")
	assert.Equal(t, before, run(t, "getent", "shadow", "carol")+run(t, "getent", "passwd", "carol"))

	v.want(user("carol", "no", key))
	v.apply()
	run(t, "userdel", "carol")
	v.want()
	v.apply()
	assert.NoFileExists(t, "/etc/sudoers.d/comet-carol")
}

func TestASpoiltDropInIsMadeAnew(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(user("alice", "yes"))
	v.apply()
	const file = "/etc/sudoers.d/comet-alice"
	for name, spoil := range map[string]string{
		"mode":  "chmod 0666 " + file,
		"owner": "chown alice " + file,
		"link":  "mv " + file + " /home/alice/mine; ln -s /home/alice/mine " + file,
	} {
		run(t, "sh", "-c", spoil)
		assert.Equal(t, []string{"remove " + file, "write " + file}, v.apply().Done, name)
		mode, uid := attributes(t, file)
		assert.Equal(t, fs.FileMode(0o440), mode, name)
		assert.Zero(t, uid, name)
		assert.Contains(t, run(t, "sudo", "-l", "-U", "alice"), "NOPASSWD: ALL", name)
	}
}

// Older tools write into /etc/sudoers itself, which is not the guest's to change. What they have left there is said until it is gone.
func TestSudoOfOlderTools(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	sudoers := frametest.Read(t, "/etc/sudoers")
	lines := ""
	for _, login := range []string{"alice", "bob", "carol"} {
		run(t, "useradd", "-m", login)
		lines += login + " ALL=(ALL) NOPASSWD:ALL\n"
	}
	frametest.Write(t, "/etc/sudoers", sudoers+lines+"root ALL=(ALL) NOPASSWD:ALL\ndave ALL=(ALL) NOPASSWD:/bin/true\n", 0o440)
	key := newKey(t, "k")
	still := func(login string) string {
		return "warning: user " + login + ": sudo: a line of /etc/sudoers, as older tools write it, still gives it: take it out with visudo"
	}
	v.want(user("alice", "yes", key), user("bob", "no", key), user("dave", "no", key), user("root", "no"))
	assert.Equal(t, []string{still("bob")}, about(v.apply().Plan.Notes))
	v.want()
	for range 2 {
		assert.Equal(t, []string{still("alice"), still("bob")}, about(v.apply().Plan.Notes))
	}
	assert.Empty(t, frametest.Read(t, "/home/alice/.ssh/authorized_keys"))
	frametest.Write(t, "/etc/sudoers", sudoers, 0o440)
	assert.Empty(t, v.apply().Plan.Notes)
	assert.NotContains(t, frametest.Read(t, "/"+v.machine.State("users.json")), "alice")
}

func TestNobodyCountsWhoIsNotInPlace(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(user("alice", "yes", newKey(t, "k")), user("bob", "yes"))
	assert.Equal(t, 2, v.apply().Plan.Count)
	require.NoError(t, os.Remove("/home/alice/.ssh/authorized_keys"))
	require.NoError(t, os.Mkdir("/home/alice/.ssh/authorized_keys", 0o700))
	r := frametest.Apply(t, v.machine, v.module())
	assert.ErrorContains(t, r.Err, "user alice")
	assert.Equal(t, 1, r.Plan.Count, "bob")
	require.NoError(t, os.Remove("/home/alice/.ssh/authorized_keys"))

	run(t, "useradd", "-d", "/nowhere", "homeless")
	require.NoError(t, os.Remove(needs.Program(t, "useradd", "passwd")))
	v.want(user("bob", "yes"), user("carol", "no"), user("homeless", "no"))
	assert.Equal(t, 1, v.apply().Plan.Count, "bob")
	require.NoError(t, os.Remove(needs.Program(t, "visudo", "sudo")))
	assert.Zero(t, v.apply().Plan.Count)
}

// Keys that are in place already are withdrawn all the same: those of older tools, and those of a guest whose state is lost.
func TestKeysThatWereThereBeforeAreWithdrawn(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	const file = "/home/bob/.ssh/authorized_keys"
	key := newKey(t, "k")
	run(t, "useradd", "-m", "bob")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o755))
	for _, lost := range []string{"older tools", "the state"} {
		frametest.Write(t, file, "# mine\n"+keyBlock(key), 0o644)
		require.NoError(t, os.RemoveAll(filepath.Join("/", v.machine.State("users.json"))), lost)
		v.want(user("bob", "no", key))
		assert.Equal(t, []string{"note that the keys of bob are in " + file}, v.apply().Done, lost)
		v.want()
		v.apply()
		assert.Equal(t, "# mine\n", frametest.Read(t, file), lost)
	}
	frametest.Write(t, file, keyBlock(key), 0o644)
	v.want(user("bob", "no"))
	v.apply()
	assert.Empty(t, frametest.Read(t, file))
}

// What stands where a new account's home would be was somebody's before, and stays theirs.
func TestHomesOfOthersAreRespected(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	for login, tt := range map[string]struct{ make, waits string }{
		"shut": {"mkdir -m 0700 /home/shut; echo secret >/home/shut/file", "has no home that is a folder of its own: /home/shut is root's alone, and stays so"},
		"open": {"mkdir -m 0755 /home/open", ""},
		"link": {"mkdir -m 0755 /srv/link; ln -s /srv/link /home/link", ""},
		"file": {"echo theirs >/home/file", "has no home that is a folder of its own: /home/file"},
	} {
		t.Run(login, func(t *testing.T) {
			v := newVM(t)
			run(t, "sh", "-c", tt.make)
			look := func() string {
				return run(t, "find", "/home/"+login, "/srv", "-maxdepth", "0", "-printf", "%p %y %U %m %l\n")
			}
			before := look()
			v.want(user(login, "yes", newKey(t, "k")))
			r := v.apply()
			assert.Equal(t, before, look())
			assert.Equal(t, "make the account "+login, r.Done[0])
			if tt.waits != "" {
				assert.Equal(t, []string{"waiting: user " + login + ": " + tt.waits}, about(r.Plan.Notes))
			} else {
				assert.Empty(t, r.Plan.Notes)
				assert.NotEmpty(t, frametest.Read(t, "/home/"+login+"/.ssh/authorized_keys"))
			}
		})
	}
}

func TestAGroupOfThatNameIsNobodysOwn(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	run(t, "groupadd", "docker")
	v.want(user("docker", "no"))
	v.apply()
	assert.NotEqual(t, "docker\n", run(t, "id", "-gn", "docker"))
}

func TestNeedsTheMachine(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "instance", nil)
	require.NoError(t, err)
	defer m.Close()
	_, err = users.New(m, nil).Plan(t.Context())
	assert.ErrorIs(t, err, frame.ErrNeedsRoot)
}

func TestNothingIsDoneWhileNothingIsKnown(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(user("alice", "yes", newKey(t, "k")))
	v.apply()
	unknown := users.New(v.machine, func() (frame.Wanted[scope.User], error) { return frame.Wanted[scope.User]{}, frame.ErrUnknown })
	plan, err := unknown.Plan(t.Context())
	assert.ErrorIs(t, err, frame.ErrUnknown)
	assert.Empty(t, plan.Steps)
}
