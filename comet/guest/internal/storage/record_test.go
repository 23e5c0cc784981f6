package storage_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/testdata/netns"
)

// Most distributions have open-iscsi's records elsewhere. What an upgrade has left behind is not what it goes by.
func TestRecordsInAnotherFolder(t *testing.T) {
	v := newVM(t)
	require.NoError(t, os.Mkdir("/var/lib/iscsi", 0o755))
	left := fmt.Sprintf("/etc/iscsi/nodes/%s/127.0.0.1,%d,1/default", target, v.port)
	netns.Write(t, left, "left\n", 0o600)
	v.disk(target, 1, 8)
	v.write("secrets/"+target, secret)
	v.want(chap(v.element("dev0", 1)))
	v.done()
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
	record := fmt.Sprintf("/var/lib/iscsi/nodes/%s/127.0.0.1,%d,1/default", target, v.port)
	assert.Contains(t, v.read(record), "node.session.auth.password = "+secret+"\n")
	assert.Equal(t, "left\n", v.read(left))
	v.reboot()
	v.done()
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
}
