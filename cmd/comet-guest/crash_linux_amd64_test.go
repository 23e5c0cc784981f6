package main

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/trace"
)

// vm is a machine below a folder, of a slice in which two others have reported.
type vm struct {
	*testing.T
	heads    *comettest.Heads
	userData string
	keys     []string // of the others
}

const (
	begin = "### BEGIN NEuca %s modifications - DO NOT EDIT BETWEEN THESE LINES. ###\n"
	end   = "### END NEuca %s modifications - DO NOT EDIT BETWEEN THESE LINES. ###\n"
)

// block is a block as the Python tools write it.
func block(name string, lines ...string) string {
	return fmt.Sprintf(begin, name) + strings.Join(lines, "") + fmt.Sprintf(end, name)
}

func newVM(t *testing.T) *vm {
	t.Helper()
	v := &vm{T: t, heads: comettest.Start(t, 1)}
	client, tokens := v.heads.Client(), scope.Tokens{Read: scope.NewToken(), Write: scope.NewToken()}
	put := func(family, key string, value []byte) {
		t.Helper()
		_, err := client.Write(t.Context(), scope.MustName("slice", family, key), tokens, value)
		require.NoError(t, err)
	}
	put("hostsall", "own", scope.Encode(scope.Host{HostName: "own"}))
	put("pubkeysall", "own", scope.Encode(scope.PubKey{}))
	for i, name := range []string{"a", "b"} {
		v.keys = append(v.keys, key(t)+" root@"+name)
		put("hostsall", name, scope.Encode(scope.Host{HostName: name, IP: fmt.Sprintf("10.0.0.%d", i+2), SSHHostKeys: key(t)}))
		put("pubkeysall", name, scope.Encode(scope.PubKey{PublicKey: v.keys[i] + "\n"}))
	}
	self := orca.UserData{CometHost: v.heads.List(), CACert: v.heads.Authority().Certificate().Raw}
	self.SliceID, self.ReservationID = scope.MustName("slice", "any", "any").Context, scope.MustName("slice", "any", "own").Key
	self.HostName = "own"
	self.Slice = orca.SliceAccess{Tokens: tokens, HostsRead: []string{"all"}, HostsWrite: []string{"all"}, PubKeysRead: []string{"all"}, PubKeysWrite: []string{"all"}}
	text, err := self.INI()
	require.NoError(t, err)
	v.userData = filepath.Join(t.TempDir(), "user-data")
	require.NoError(t, os.WriteFile(v.userData, text, 0o600))
	return v
}

func key(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	k, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))
}

// args are those of a command on the machine below root.
func (v *vm) args(verb, root string) []string {
	return []string{verb, "--root", root, "--user-data", v.userData, "--address", "10.0.0.1", "--log-level", "error"}
}

const (
	hosts    = "etc/hosts"
	authKeys = "root/.ssh/authorized_keys"
	known    = "etc/ssh/ssh_known_hosts"
)

// machine makes a folder with these files.
func (v *vm) machine(files map[string]string) string {
	v.Helper()
	root := v.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		require.NoError(v, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(v, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}

func content(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return string(text)
}

var watched = []string{hosts, authKeys, known, "etc/hostname"}

// The guest is killed before system calls that change a file. Whichever it was, each file is as it was or as it is to be, and the
// next pass ends what was begun and leaves nothing lying about.
func TestKilledAtEveryWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("it kills the guest a hundred times and more")
	}
	v := newVM(t)
	files := map[string]string{hosts: "127.0.0.1\tlocalhost\n10.9.9.9 mine # no line end", authKeys: "# mine\n" + key(t) + " me\n", "etc/hostname": "old\n"}
	right := map[string]map[string]bool{} // the versions of each file that a pass makes
	note := func(root string) {
		for _, name := range watched {
			if right[name] == nil {
				right[name] = map[string]bool{}
			}
			right[name][content(t, root, name)] = true
		}
	}
	root := v.machine(files)
	calls := 0
	ended, code := trace.Run(t, command(v.args("once", root)...), root, func(n int, _ string) bool { calls = n; note(root); return true })
	require.True(t, ended)
	require.Zero(t, code)
	note(root)
	require.Greater(t, calls, 50)
	assert.LessOrEqual(t, len(right[hosts]), 3, "as it was, with the own name, with the others")
	assert.Len(t, right[authKeys], 2)
	want := map[string]string{}
	for _, name := range watched {
		want[name] = content(t, root, name)
	}
	for at := 1; ; at += *trace.Apart {
		root := v.machine(files)
		killed := ""
		ended, _ := trace.Run(t, command(v.args("once", root)...), root, func(n int, call string) bool {
			if n == at {
				killed = call
			}
			return n < at
		})
		for _, name := range watched {
			require.True(t, right[name][content(t, root, name)], "%s is torn by a kill before call %d, %s:\n%q", name, at, killed, content(t, root, name))
		}
		out, err := command(v.args("once", root)...).CombinedOutput()
		require.NoError(t, err, "after a kill before call %d, %s: %s", at, killed, out)
		for _, name := range watched {
			require.Equal(t, want[name], content(t, root, name), "%s after a kill before call %d, %s", name, at, killed)
		}
		require.Empty(t, leftovers(t, root), "a kill before call %d, %s", at, killed)
		out, err = command(v.args("plan", root)...).CombinedOutput()
		require.NoError(t, err, "something is left to do after a kill before call %d, %s: %s", at, killed, out)
		if ended {
			require.GreaterOrEqual(t, at, calls/2)
			t.Logf("killed before call 1 to %d", at)
			return
		}
	}
}
