package interfaces_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

func TestALateCardIsWaitedFor(t *testing.T) {
	v := newVM(t)
	netns.Card(t, "eth1", mac1)
	v.want(ipv4(mac1, "up", "172.16.1.10/24"), ipv4(mac2, "up", "172.16.2.10/24"))
	module := v.guest()
	r := frame.NewRunner(v.machine, 0, 0)
	r.Add(module, frame.On)
	pass := func() frame.Report {
		t.Helper()
		reports, err := r.Apply(t.Context())
		require.NoError(t, err)
		require.NoError(t, reports[0].Err)
		return reports[0]
	}
	assert.Equal(t, []frame.Note{{Kind: frame.Waiting, About: mac2, Why: "there is no such interface yet"}}, pass().Plan.Notes)

	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- module.Watch(ctx) }()
	<-v.machine.Woken() // it watches now
	netns.Card(t, "eth2", mac2)
	for len(netns.Addresses(t, "eth2")) == 0 {
		<-v.machine.Woken()
		pass()
	}
	assert.Equal(t, []string{"172.16.2.10/24"}, netns.Addresses(t, "eth2"))
	assert.Equal(t, 2, pass().Plan.Count)

	require.NoError(t, netlink.LinkDel(netns.Link(t, "eth2")))
	for pass().Plan.Count != 1 {
		<-v.machine.Woken()
	}
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
}
