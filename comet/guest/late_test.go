package guest_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

// late is a store whose next list, once armed, is kept back until the test lets it go.
type late struct {
	server.Store
	armed         atomic.Bool
	listed, letGo chan struct{}
}

func (l *late) List(ctx context.Context, id scope.ContextID, read scope.Token, family scope.Family) (server.Listing, error) {
	list, err := l.Store.List(ctx, id, read, family)
	if l.armed.CompareAndSwap(true, false) {
		close(l.listed)
		<-l.letGo
	}
	return list, err
}

// While a VM asks for a second answer a head may tell it of a change. The answer, which comes later and is older, undoes nothing.
func TestAnAnswerThatComesLateUndoesNoChange(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	defer store.Close()
	slow := &late{Store: store, listed: make(chan struct{}), letGo: make(chan struct{})}
	s := newSliceAt(t, comettest.StartOn(t, 1, slow))
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	s.peer("2", "gone", "10.0.0.3", "all")
	slow.armed.Store(true)
	r := m.start()
	<-slow.listed // what a guest knows that has just begun needs a second answer
	s.put("hostsall", "1", string(scope.Encode(scope.Host{HostName: "a", IP: "10.0.0.22"})))
	s.remove("hostsall", "2")
	now := func(report report) bool {
		return len(report.Hosts) > 0 && report.Hosts[0].IP == "10.0.0.22"
	}
	r.report(now)
	close(slow.letGo)
	// Heads take a tenth of a second to tell of this; the late answer is here before.
	s.put("hostsall", "3", string(scope.Encode(scope.Host{HostName: "marker", IP: "10.0.0.9"})))
	r.report(func(report report) bool {
		return len(report.Hosts) == 2 && now(report) && report.Hosts[1].HostName == "marker"
	})
	r.stop()
}
