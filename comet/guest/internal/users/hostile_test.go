package users_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

func about(notes []frame.Note) (texts []string) {
	for _, n := range notes {
		texts = append(texts, string(n.Kind)+": "+n.About+": "+n.Why)
	}
	return texts
}

func TestWrongElementsAreLeftOutByNameAndField(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	good := newKey(t, "good")
	long := strings.Repeat("x", 10<<20)
	v.want(
		user("--help", "no"), user("-o", "no"), user("../etc", "no"), user("a b", "no"), user("a\nb", "no"), user("", "no"), user("a:b", "no"),
		user("$(id)", "no"), user("*", "no"), user("%h", "no"), user(long, "no"), user("eve", "maybe"), user("eve", "yes\nALL"),
		user("zoe", "no", "garbage", good, good[:40], "command=\"x\nroot\" "+good), user("Zoe", "yes", good),
	)
	r := v.apply()
	notes := about(r.Plan.Notes)
	require.Len(t, notes, 13+5)
	for _, note := range notes[:11] {
		assert.Regexp(t, `^left out: user ".*" \(element \d+\): user is (not a login name|missing)$`, note)
		assert.Less(t, len(note), 600)
	}
	assert.Contains(t, notes, `left out: user zoe: key 1 is not an SSH public key`)
	assert.Contains(t, notes, `left out: user Zoe: user is there twice; the first one counts`)
	for _, note := range notes {
		assert.NotContains(t, note, "garbage")
	}
	assert.Equal(t, keyBlock(good), frametest.Read(t, "/home/zoe/.ssh/authorized_keys"))
	assert.NotContains(t, run(t, "getent", "passwd"), "eve")
	left, err := filepath.Glob("/etc/sudoers.d/comet-*")
	require.NoError(t, err)
	assert.Empty(t, left)
}

// A marker in a key would end the block that the key stands in, or begin one of others: that key is left out, and no other.
func TestAMarkerInAKeyStopsThatKeyAlone(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	good, other := newKey(t, "good"), newKey(t, "other")
	for _, name := range []string{"comet user keys", "comet pubkeys"} {
		for _, end := range []string{"BEGIN", "END"} {
			marker := "### " + end + " NEuca " + name + " modifications - DO NOT EDIT BETWEEN THESE LINES. ###"
			v.want(user("alice", "no", good, `command="`+marker+`" `+newKey(t, "x"), other+" "+marker), user("bob", "no", good))
			r := v.apply()
			assert.Equal(t, []string{"left out: user alice: key 2 has the marker of a block in its options"}, about(r.Plan.Notes))
			lines := strings.Split(frametest.Read(t, "/home/alice/.ssh/authorized_keys"), "\n")
			assert.Len(t, lines, 5, "two keys, two markers and the end")
			assert.Contains(t, lines, good)
			assert.Equal(t, keyBlock(good), frametest.Read(t, "/home/bob/.ssh/authorized_keys"))
		}
	}
}

// A name in capitals is an alias to sudoers, and ALL is everybody.
func TestNoLoginMeansAnybodyElse(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	for _, login := range []string{"ALL", "ADMIN", "a.b", "user$", "_x-y"} {
		line := login + ":x:4001:4001::/nowhere:/bin/sh\n"
		frametest.Write(t, "/etc/passwd", frametest.Read(t, "/etc/passwd")+strings.Replace(line, "4001:", string(rune('0'+len(login)))+"001:", 1), 0o644)
	}
	v.want(user("ALL", "yes"), user("ADMIN", "yes"), user("a.b", "yes"), user("user$", "yes"), user("_x-y", "yes"))
	v.apply()
	for _, u := range v.wanted.Elements {
		assert.Contains(t, run(t, "sudo", "-l", "-U", u.Login), "NOPASSWD: ALL", u.Login)
	}
	assert.Contains(t, run(t, "sudo", "-l", "-U", "nobody"), "not allowed")
	run(t, "visudo", "-c")
}

// What a user makes of the own home leads nowhere else.
func TestNoLinkIsFollowed(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	require.NoError(t, os.MkdirAll("/root/.ssh", 0o700))
	frametest.Write(t, "/root/.ssh/authorized_keys", "", 0o600)
	require.NoError(t, os.Mkdir("/root/empty", 0o700))
	for login, link := range map[string][2]string{
		"folder":   {".ssh", "../../root/.ssh"},
		"absolute": {".ssh", "/root/.ssh"},
		"empty":    {".ssh", "../../root/empty"},
		"inside":   {".ssh", "other"},
		"file":     {".ssh/authorized_keys", "../../../root/.ssh/authorized_keys"},
		"missing":  {".ssh/authorized_keys", "../../../root/new"},
	} {
		t.Run(login, func(t *testing.T) {
			v.want(user(login, "no"))
			v.apply()
			at := filepath.Join("/home", login, link[0])
			require.NoError(t, os.MkdirAll(filepath.Join("/home", login, "other"), 0o755))
			require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
			require.NoError(t, os.Symlink(link[1], at))
			v.want(user(login, "no", newKey(t, "k")), user("neighbour", "no", newKey(t, login)))
			r := frametest.Apply(t, v.machine, v.module())
			assert.ErrorContains(t, r.Err, "user "+login)
			assert.ErrorContains(t, r.Err, "symbolic link")
			assert.Contains(t, frametest.Read(t, "/home/neighbour/.ssh/authorized_keys"), " "+login+"\n", "others' keys")
			assert.Empty(t, frametest.Read(t, "/root/.ssh/authorized_keys"))
			assert.NoFileExists(t, "/root/new")
			entries, err := os.ReadDir("/root/empty")
			require.NoError(t, err)
			assert.Empty(t, entries)
		})
	}
}

func TestALinkKeepsNobodyIn(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(user("mallory", "yes", newKey(t, "k")))
	v.apply()
	require.NoError(t, os.RemoveAll("/home/mallory/.ssh"))
	require.NoError(t, os.Symlink("../../root", "/home/mallory/.ssh"))
	v.want()
	r := frametest.Apply(t, v.machine, v.module())
	assert.ErrorContains(t, r.Err, "symbolic link")
	assert.Contains(t, run(t, "chage", "-l", "mallory"), "Jan 02, 1970")
	assert.NoFileExists(t, "/etc/sudoers.d/comet-mallory")
}

// Nor does a link that comes late.
func TestALateLinkKeepsNobodyIn(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(user("mallory", "yes", newKey(t, "k")))
	v.apply()
	v.want()
	plan, err := v.module().Plan(t.Context())
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, s := range plan.Steps {
		assert.False(t, seen[s.Of], "each stands alone")
		seen[s.Of] = true
	}
	assert.Len(t, seen, 3, "keys, account, sudo")
}

// The link is set after the guest has looked.
func TestNoLinkIsFollowedThatComesLate(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	require.NoError(t, os.Mkdir("/root/empty", 0o700))
	v.want(user("mallory", "no"))
	v.apply()
	v.want(user("mallory", "no", newKey(t, "k")))
	plan, err := v.module().Plan(t.Context())
	require.NoError(t, err)
	require.Len(t, plan.Steps, 2)
	require.NoError(t, os.Symlink("../../root/empty", "/home/mallory/.ssh"))
	require.NoError(t, plan.Steps[0].Do(t.Context()), "the ledger")
	assert.Error(t, plan.Steps[1].Do(t.Context()))
	entries, err := os.ReadDir("/root/empty")
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestOneUserStopsNoOther(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	key := newKey(t, "k")
	run(t, "useradd", "-d", "/nowhere", "homeless")
	v.want(user("Capital", "no", key), user("homeless", "yes", key), user("zoe", "yes", key)) // Debian's useradd takes no capitals
	r := frametest.Apply(t, v.machine, v.module())
	if r.Err != nil {
		assert.ErrorContains(t, r.Err, "make the account Capital")
		assert.False(t, r.Retry.IsZero())
	}
	assert.Contains(t, strings.Join(about(r.Plan.Notes), "\n"), "waiting: user homeless: home: ")
	assert.Contains(t, run(t, "sudo", "-l", "-U", "homeless"), "NOPASSWD: ALL")
	assert.Equal(t, keyBlock(key), frametest.Read(t, "/home/zoe/.ssh/authorized_keys"))
	assert.Contains(t, run(t, "sudo", "-l", "-U", "zoe"), "NOPASSWD: ALL")
}

func TestInDoubtNothingIsWithdrawn(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	one, two := newKey(t, "1"), newKey(t, "2")
	v.want(user("alice", "yes", one), user("bob", "yes", one))
	v.apply()

	held := func(because string) string {
		return "warning: users: what nobody asks for any more stays as long as " + because
	}
	v.wanted.Whole = false
	v.wanted.Notes = []frame.Note{{Kind: frame.LeftOut, About: "users, element 1", Why: "is no text"}}
	v.want(user("alice", "no", two))
	assert.Contains(t, about(v.apply().Plan.Notes), held("it may be what is left out: users, element 1"))
	assert.Equal(t, keyBlock(two), frametest.Read(t, "/home/alice/.ssh/authorized_keys"), "what is known of her is not in doubt")
	assert.Contains(t, run(t, "sudo", "-l", "-U", "alice"), "not allowed")
	assert.Equal(t, keyBlock(one), frametest.Read(t, "/home/bob/.ssh/authorized_keys"))
	assert.Contains(t, run(t, "sudo", "-l", "-U", "bob"), "NOPASSWD: ALL")

	v.wanted.Notes = nil
	assert.Equal(t, []string{held("not all is known that is wanted")}, about(v.apply().Plan.Notes))
	v.want(user("alice", "no", two), user("bob", "yes", one))
	assert.Empty(t, v.apply().Plan.Notes, "nothing is to be withdrawn")
	v.wanted.Whole = true
	v.want(user("alice", "no", two), user("bob", "maybe"))
	assert.Contains(t, about(v.apply().Plan.Notes), held(`it may be what is left out: user "bob" (element 1)`))
	assert.Contains(t, run(t, "sudo", "-l", "-U", "bob"), "NOPASSWD: ALL")

	v.want(user("alice", "no", "garbage"), user("bob", "no", two, "garbage"))
	v.apply()
	assert.Equal(t, keyBlock(two), frametest.Read(t, "/home/alice/.ssh/authorized_keys"), "no key is left that could be read")
	assert.Equal(t, keyBlock(two), frametest.Read(t, "/home/bob/.ssh/authorized_keys"))

	v.want(user("alice", "no"), user("bob", "no"))
	v.apply()
	assert.Empty(t, frametest.Read(t, "/home/alice/.ssh/authorized_keys"))
}

// Whatever keeps a user out, sudo is taken.
func TestSudoIsTakenWithoutAHome(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(user("alice", "yes"))
	v.apply()
	require.NoError(t, os.RemoveAll("/home/alice"))
	run(t, "usermod", "-d", "/nowhere/alice", "alice")
	v.want(user("alice", "no"))
	r := frametest.Apply(t, v.machine, v.module())
	assert.ErrorContains(t, r.Err, "make the home /nowhere/alice")
	assert.NoFileExists(t, "/etc/sudoers.d/comet-alice")

	frametest.Write(t, "/etc/sudoers.d/comet-bob", "# Kept by comet-guest: what is changed here is lost.\n", 0o440)
	require.NoError(t, os.Remove(needs.Program(t, "useradd", "passwd")))
	v.want(user("bob", "no"))
	v.apply()
	assert.NoFileExists(t, "/etc/sudoers.d/comet-bob", "nobody can be bob yet")
}

func TestDropInsOfOthersStay(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	const theirs = "/etc/sudoers.d/comet-team"
	frametest.Write(t, theirs, "nobody ALL=(ALL) NOPASSWD:/bin/true\n", 0o440)
	v.want(scope.User{Login: "alice", Sudo: "yes"})
	v.apply()
	v.want()
	v.apply()
	assert.FileExists(t, theirs)
	assert.NoFileExists(t, "/etc/sudoers.d/comet-alice")
}
