package users_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

// sshdConfig gives the SSH server its settings, and what it wants to have before it says anything.
func sshdConfig(t *testing.T, text string) {
	t.Helper()
	needs.Program(t, "sshd", "openssh-server")
	require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	_, err := os.Stat("/etc/ssh/ssh_host_ed25519_key")
	if os.IsNotExist(err) {
		run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key")
	}
	frametest.Write(t, "/etc/ssh/sshd_config", text, 0o644)
}

func TestKeysAreWhereSshdLooks(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(user("alice", "no"))
	v.apply()
	uid := strings.TrimSpace(run(t, "id", "-u", "alice"))
	require.NoError(t, os.MkdirAll("/etc/keys/alice", 0o755))
	before := "/home/alice/.ssh/authorized_keys"
	for name, tt := range map[string]struct{ config, file string }{
		"usual":          {"#AuthorizedKeysFile elsewhere\n", "/home/alice/.ssh/authorized_keys"},
		"two":            {"AuthorizedKeysFile .ssh/first .ssh/second\n", "/home/alice/.ssh/first"},
		"in home":        {"AuthorizedKeysFile %h/my/keys\n", "/home/alice/my/keys"},
		"by login":       {"AuthorizedKeysFile /etc/keys/%u/keys\n", "/etc/keys/alice/keys"},
		"by number":      {"AuthorizedKeysFile=/etc/keys/%U%%\n", "/etc/keys/" + uid + "%"},
		"global first":   {"AuthorizedKeysFile /etc/keys/all .ssh/own\n", "/home/alice/.ssh/own"},
		"for this user":  {"AuthorizedKeysFile none\nMatch User alice\n AuthorizedKeysFile .ssh/hers\n", "/home/alice/.ssh/hers"},
		"for others":     {"Match User bob\n AuthorizedKeysFile /etc/all\n", "/home/alice/.ssh/authorized_keys"},
		"included":       {"Include /etc/ssh/more\n", "/home/alice/.ssh/included"},
		"up from home":   {"AuthorizedKeysFile %h/../alice.keys\n", "/home/alice.keys"},
		"odd but common": {"authorizedkeysfile	.ssh/authorized_keys\n", "/home/alice/.ssh/authorized_keys"},
	} {
		t.Run(name, func(t *testing.T) {
			frametest.Write(t, "/etc/ssh/more", "AuthorizedKeysFile .ssh/included\n", 0o644)
			sshdConfig(t, tt.config)
			key := newKey(t, "k")
			v.want(user("alice", "no", key))
			v.apply()
			assert.Equal(t, keyBlock(key), frametest.Read(t, tt.file))
			if before != tt.file {
				assert.Empty(t, frametest.Read(t, before), "they have left where they were")
			}
			before = tt.file
			mode, owner := attributes(t, tt.file)
			if strings.HasPrefix(tt.file, "/home/alice/") {
				assert.EqualValues(t, 0o600, mode)
				assert.NotZero(t, owner)
			} else {
				assert.EqualValues(t, 0o644, mode, "sshd reads it as the user")
				assert.Zero(t, owner)
			}
		})
	}
	v.want()
	v.apply()
	assert.Empty(t, frametest.Read(t, before))
}

// Before sshd has started for the first time, it does not answer on Debian. Its settings hold all the same.
func TestKeysAreWhereSshdWillLook(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	sshdConfig(t, "AuthorizedKeysFile none\nMatch User alice\n AuthorizedKeysFile /etc/keys/%u\n")
	require.NoError(t, os.RemoveAll("/run/sshd"))
	key := newKey(t, "k")
	v.want(user("alice", "no", key), user("bob", "no", key))
	r := v.apply()
	assert.Equal(t, keyBlock(key), frametest.Read(t, "/etc/keys/alice"))
	assert.NoFileExists(t, "/home/alice/.ssh/authorized_keys")
	require.Len(t, r.Plan.Notes, 1)
	assert.Contains(t, r.Plan.Notes[0].Why, "sshd has no file for the keys of a single user")
}

// A newer sshd tells its settings without anything else.
func TestANewerSshdIsAskedForNothingElse(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	sshdConfig(t, "AuthorizedKeysFile /etc/all\n")
	frametest.Write(t, "/usr/sbin/sshd", "#!/bin/sh\n[ \"$1 $2\" = '-G -C' ] && echo authorizedkeysfile /etc/keys/%u || exit 1\n", 0o755)
	key := newKey(t, "k")
	v.want(user("alice", "no", key))
	v.apply()
	assert.Equal(t, keyBlock(key), frametest.Read(t, "/etc/keys/alice"))
}

func TestKeysForAllAreForNobody(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(user("alice", "yes", newKey(t, "k")))
	for name, config := range map[string]string{
		"global":  "AuthorizedKeysFile /etc/keys/all\n",
		"none":    "AuthorizedKeysFile none\n",
		"unknown": "AuthorizedKeysFile /etc/keys/%Z\n",
		"broken":  "AuthorizedKeysFile /etc/%u\nNonsense\n",
	} {
		t.Run(name, func(t *testing.T) {
			sshdConfig(t, config)
			r := v.apply()
			require.Len(t, r.Plan.Notes, 1)
			assert.Contains(t, about(r.Plan.Notes)[0], "waiting: user alice: ")
			assert.NoFileExists(t, "/etc/keys/all")
			assert.NoFileExists(t, "/home/alice/.ssh/authorized_keys")
			assert.FileExists(t, "/etc/sudoers.d/comet-alice")
		})
	}
}
