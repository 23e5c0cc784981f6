package guest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/netns"
	"github.com/renci-nrig/comet-go/testdata/trace"
)

const killedVariable = "GUEST_TEST_KILLED"

var machineModules = []string{"interfaces", "router", "routes", "users", "scripts"}

// The guest is killed before it changes a file, starts a command or tells the kernel's network something. Whichever it was, the next
// passes end in what is wanted, and each script has run once. What is wanted is something else each time, so that each time there is
// something to make and something to take back.
func TestAMachineWhoseGuestIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("it kills the guest some dozen times")
	}
	if !frametest.Inside(t) {
		return
	}
	if userData := os.Getenv(killedVariable); userData != "" {
		_, err := wholeGuest(t, userData, machineModules...).Once(t.Context())
		require.NoError(t, err)
		return
	}
	w := newWhole(t)
	key := newKey(t, "a")
	for i, at := 0, 1; ; i, at = i+1, at+*trace.Apart {
		w.want(i, key)
		killed := ""
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), killedVariable+"="+w.userData)
		ended, _ := trace.Run(t, cmd, "/", func(n int, call string) bool {
			if n == at {
				killed = call
			}
			return n < at
		})
		w.settle()
		w.asWanted(i, key)
		require.False(t, t.Failed(), "after a kill before call %d, %s", at, killed)
		if ended {
			require.Greater(t, at, 40)
			t.Logf("killed before call 1 to %d", at)
			return
		}
	}
}

// want says what is wanted in a turn.
func (w *whole) want(turn int, key string) {
	w.Helper()
	user, net := fmt.Sprint("u", turn), turn%200+1
	tell(w, scope.FamilyUsers, scope.User{Login: user, Sudo: "yes", Keys: scope.KeyText{key}})
	tell(w, scope.FamilyInterfaces, scope.Interface{MAC: dataMAC, State: "up", IPVersion: "ipv4", IP: fmt.Sprintf("172.16.%d.10/24", net)})
	tell(w, scope.FamilyRoutes, scope.Route{Network: fmt.Sprintf("10.%d.0.0/16", net), NextHop: fmt.Sprintf("172.16.%d.1", net)})
	tell(w, scope.FamilyScripts, scope.Script{Name: "script", Body: scope.Hide("id -un " + user + " >>/root/ran")})
}

// settle makes passes until there is nothing left to do.
func (w *whole) settle() {
	w.Helper()
	g := wholeGuest(w.T, w.userData, machineModules...)
	for range 20 {
		_, failed := g.Once(w.Context())
		st, err := g.Plan(w.Context())
		require.NoError(w, err)
		settled := failed == nil && !st.Changes()
		for _, m := range st.Modules {
			settled = settled && m.State == guest.StateOK
		}
		if settled {
			return
		}
	}
	require.Fail(w, "it comes to no end")
}

// asWanted looks whether all is as it is wanted in a turn, and nothing is left of the one before.
func (w *whole) asWanted(turn int, key string) {
	w.Helper()
	net, ran := turn%200+1, ""
	for i := range turn + 1 {
		user := fmt.Sprint("u", i)
		ran += user + "\n"
		keys := frametest.Read(w, "/home/"+user+"/.ssh/authorized_keys")
		assert.Equal(w, i == turn, strings.Contains(keys, key), "the key of %s", user)
	}
	now := fmt.Sprint("u", turn)
	kept, err := exec.Command("stat", "-c", "%a %U", "/home/"+now+"/.ssh", "/home/"+now+"/.ssh/authorized_keys").Output()
	require.NoError(w, err)
	assert.Equal(w, "700 "+now+"\n600 "+now+"\n", string(kept), "sshd takes no others")
	assert.Equal(w, ran, frametest.Read(w, "/root/ran"), "each script once")
	sudo, err := filepath.Glob("/etc/sudoers.d/comet-*")
	require.NoError(w, err)
	assert.Len(w, sudo, 1)
	assert.Equal(w, []string{fmt.Sprintf("172.16.%d.10/24", net)}, netns.Addresses(w, "eth1"))
	assert.ElementsMatch(w, []string{"0.0.0.0/0 via 10.99.0.1 proto 4", fmt.Sprintf("10.%d.0.0/16 via 172.16.%d.1 proto 67", net, net)}, netns.Routes(w))
	for _, folder := range []string{"/etc", "/var/lib/comet-guest", "/home"} {
		out, err := exec.Command("find", folder, "-name", ".comet-*").Output()
		require.NoError(w, err)
		assert.Empty(w, string(out), "nothing lies about")
	}
}
