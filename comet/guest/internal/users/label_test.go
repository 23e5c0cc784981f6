package users_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
)

// sshd takes no keys from files that SELinux knows as something else: what is new gets the label of its place.
func TestNewKeyFilesGetTheirLabel(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(user("alice", "no"))
	v.apply()
	frametest.Write(t, "/usr/sbin/restorecon", "#!/bin/sh\nstat -c '%a %n' \"$@\" >>/labelled\n", 0o755)
	v.want(user("alice", "no", newKey(t, "k")))
	v.apply()
	assert.Equal(t, "0 /home/alice/.ssh\n600 /home/alice/.ssh/authorized_keys\n", frametest.Read(t, "/labelled"), "the folder before she has it")
	require.NoError(t, os.Remove("/labelled"))

	v.want(user("alice", "no", newKey(t, "other")))
	v.apply()
	assert.NoFileExists(t, "/labelled", "what is there keeps its own")

	require.NoError(t, os.RemoveAll("/home/alice/.ssh"))
	frametest.Write(t, "/usr/sbin/restorecon", "#!/bin/sh\nexit 1\n", 0o755)
	v.apply()
	assert.FileExists(t, "/home/alice/.ssh/authorized_keys", "keys without a label are better than none")
}
