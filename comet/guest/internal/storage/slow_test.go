package storage_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

// counted is a module that counts how often it was asked.
type counted int

func (*counted) Name() string { return "hosts" }
func (c *counted) Plan(context.Context) (frame.Plan, error) {
	*c++
	return frame.Plan{}, nil
}

// A portal that takes connections and says nothing keeps iscsiadm waiting, and nobody else.
func TestAPortalThatHangs(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	e := v.element("dev0", 1)
	e.ShouldFormat, e.MountPoint = "no", ""
	v.want(e)
	hang := filepath.Join(v.world, "hang")
	require.NoError(t, unix.Mkfifo(hang, 0o600))
	program := filepath.Join(v.world, "iscsiadm")
	netns.Write(t, program, v.read("/usr/sbin/iscsiadm"), 0o755)
	standIn(t, "iscsiadm", `case "$*" in *discovery*) read x <`+hang+`; esac; exec `+program+` "$@"`)

	var hosts counted
	r := frame.NewRunner(v.machine, 0, 0)
	r.Add(&hosts, frame.On)
	r.Add(v.module, frame.On)
	var reports []frame.Report
	pass := func() {
		var err error
		reports, err = r.Pass(t.Context())
		require.NoError(t, err)
	}
	for range 3 {
		pass()
		assert.Equal(t, "waiting: is at work", said(reports[1], "storage"))
	}
	netns.Write(t, hang, "go on\n", 0o600) // which waits for who reads it
	<-v.machine.Woken()
	pass()
	require.NoError(t, reports[1].Err)
	assert.Contains(t, reports[1].Done[len(reports[1].Done)-1], "attach dev0")
	assert.Equal(t, 1, reports[1].Plan.Count)
	assert.EqualValues(t, 4, hosts, "one look in each pass")
	r.End()
}
