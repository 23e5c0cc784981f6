package users_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
	"github.com/renci-nrig/comet-go/scope"
)

const aKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOOIITt81EVMfUt2MXHG0PApQ85577CvtWHf+gUhGQSg 2"

// chapters are what is wanted, one after the other.
func chapters() [][]scope.User {
	return [][]scope.User{
		{user("alice", "yes", aKey), user("bob", "no", aKey), user("carol", "yes", aKey)},
		{user("alice", "no", aKey), user("carol", "no")},
		{user("alice", "yes", aKey), user("bob", "yes", aKey)},
	}
}

// asWanted checks that all is as it would be had nothing come in between.
func (v *vm) asWanted() {
	for _, login := range []string{"alice", "bob", "carol"} {
		var wanted *scope.User
		for _, w := range v.wanted.Elements {
			if w.Login == login {
				wanted = &w
			}
		}
		keys, sudo := frametest.Read(v, "/home/"+login+"/.ssh/authorized_keys"), ""
		if login != "carol" {
			sudo = run(v, "sudo", "-l", "-U", login)
			assert.Equal(v, wanted == nil, strings.Contains(run(v, "chage", "-l", login), "Jan 02, 1970"), "%s: shut", login)
			assert.Equal(v, login+"\n", run(v, "stat", "-c", "%U", "/home/"+login), "the home is %s's own", login)
			run(v, "getent", "shadow", login)
		}
		assert.Equal(v, wanted != nil && len(wanted.Keys) > 0, keys != "" && strings.Contains(keys, aKey), "%s: keys", login)
		assert.Equal(v, wanted != nil && wanted.MaySudo() && login != "carol", strings.Contains(sudo, "NOPASSWD: ALL"), "%s: sudo", login)
	}
	assert.NotContains(v, run(v, "getent", "shadow", "carol"), ":1:", "carol was there before")
}

// Whichever step is the last before the guest ends, the next one brings it to its end.
func TestStoppedBehindEveryStep(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	run(t, "useradd", "-m", "carol")
	for _, chapter := range chapters() {
		v.want(chapter...)
		for n := 0; frametest.Interrupted(t, v.module(), 1); n++ {
			require.Less(t, n, 100, "it comes to no end")
		}
		frametest.Settled(t, v.module())
	}
	v.want(user("alice", "yes", aKey), user("bob", "yes", aKey), user("carol", "no"))
	v.apply()
}

const killedVariable = "USERS_TEST_KILLED"

// The guest is killed at whatever point it has reached, also while tools of the system run.
func TestKilledAtAnyMoment(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	if chapter := os.Getenv(killedVariable); chapter != "" {
		v.want(chapters()[int(chapter[0]-'0')]...)
		r := frame.NewRunner(v.machine, 0, 0)
		r.Add(v.module(), frame.On)
		fmt.Println("begun")
		_, err := r.Apply(t.Context())
		require.NoError(t, err)
		return
	}
	run(t, "useradd", "-m", "carol")
	for range 4 {
		for i, chapter := range chapters() {
			for range 3 {
				v.killed(i)
			}
			v.want(chapter...)
			v.apply()
			v.asWanted()
		}
	}
}

// killed lets another process apply a chapter and kills it.
func (v *vm) killed(chapter int) {
	cmd := exec.Command(os.Args[0], "-test.run=^"+v.Name()+"$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", killedVariable, chapter))
	out, err := cmd.StdoutPipe()
	require.NoError(v, err)
	require.NoError(v, cmd.Start())
	require.True(v, bufio.NewScanner(out).Scan())
	timer := time.AfterFunc(rand.N(60*time.Millisecond), func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	timer.Stop()
}

// An account is half there: in passwd, and without its password entry and its home.
func TestAHalfMadeAccountIsMadeAnew(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	require.NoError(t, v.machine.Save("users.json", map[string]any{"alice": map[string]bool{"making": true}, "carol": map[string]bool{"making": true}}))
	frametest.Write(t, "/etc/passwd", frametest.Read(t, "/etc/passwd")+"alice:x:5001:5001:user of COMET:/home/alice:/bin/sh\n"+
		"carol:x:5002:100:Carol:/home/carol:/bin/sh\n", 0o644)
	require.NoError(t, os.Mkdir("/home/carol", 0o755))
	v.want(user("alice", "yes", aKey), user("carol", "yes", aKey))
	v.apply()
	run(t, "getent", "shadow", "alice")
	assert.Equal(t, "alice\n", run(t, "stat", "-c", "%U", "/home/alice"))
	assert.Contains(t, run(t, "getent", "passwd", "carol"), "carol:x:5002:100:Carol:", "is somebody else's")
	v.want()
	v.apply()
	assert.Contains(t, run(t, "getent", "passwd", "carol"), "carol:x:5002:100:Carol:")
}

func TestTheHomeOfAnAccountOfOursComesBack(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(user("alice", "no", aKey))
	v.apply()
	for _, begun := range []bool{false, true} {
		require.NoError(t, os.RemoveAll("/home/alice"))
		if begun {
			require.NoError(t, v.machine.Save("users.json", map[string]any{"alice": map[string]any{"made": true, "home": "/home/alice"}}))
			require.NoError(t, os.Mkdir("/home/alice", 0o700))
		}
		v.apply()
		assert.Equal(t, keyBlock(aKey), frametest.Read(t, "/home/alice/.ssh/authorized_keys"))
		assert.Equal(t, "alice\n", run(t, "stat", "-c", "%U", "/home/alice"))
	}
	require.NoError(t, os.Chown("/home/alice", 0, 0))
	require.NoError(t, os.Chmod("/home/alice", 0o755))
	v.apply()
	assert.Equal(t, "root\n", run(t, "stat", "-c", "%U", "/home/alice"), "it has been given to root on purpose, as sshd's ChrootDirectory asks for")
}

// The account is made behind the crash; its home, missing before, is root's still.
func TestAHomeThatIsHalfThereIsMade(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	require.NoError(t, v.machine.Save("users.json", map[string]any{"alice": map[string]any{"making": true, "home": "/home/alice"}}))
	require.NoError(t, os.Mkdir("/home/alice", 0))
	v.want(user("alice", "no", aKey))
	v.apply()
	assert.Equal(t, "alice\n", run(t, "stat", "-c", "%U", "/home/alice"))
	assert.Equal(t, keyBlock(aKey), frametest.Read(t, "/home/alice/.ssh/authorized_keys"))
}
