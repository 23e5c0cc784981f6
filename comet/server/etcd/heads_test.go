package etcd_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/scope"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

func watch(t testing.TB, s server.Store, families ...scope.Family) <-chan struct{} {
	t.Helper()
	c, err := s.Watch(t.Context(), name.Context, tokens.Read, families...)
	require.NoError(t, err)
	return c
}

func requireWoken(t testing.TB, c <-chan struct{}) {
	t.Helper()
	select {
	case _, open := <-c:
		require.True(t, open)
	case <-time.After(patience):
		require.Fail(t, "was not woken")
	}
}

func since(t testing.TB, s server.Store, revision uint64) server.Changes {
	t.Helper()
	c, err := s.Since(context.Background(), name.Context, tokens.Read, revision)
	require.NoError(t, err)
	return c
}

func TestHeadsSeeEachOther(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	a, b := open(t, cluster.URL("/comet")), open(t, cluster.URL("/comet/"))
	elsewhere := open(t, cluster.URL("/comet/test")) // shares etcd and nothing else
	put(t, a, "gone", "1")
	before := since(t, a, 0).Revision
	changed, others := watch(t, a, name.Family), watch(t, a, scope.MustFamily("pubkeysall"))
	aside := watch(t, elsewhere)

	created := put(t, b, "vm", "one")
	requireWoken(t, changed)
	requireValue(t, a, "vm", "one")
	require.Equal(t, server.Result{Changed: true, Revision: remove(t, b, "gone").Revision}, server.Result{Changed: true, Revision: created.Revision + 1})
	requireWoken(t, changed)
	c := since(t, a, before)
	require.False(t, c.Whole)
	require.Len(t, c.Entries, 1)
	require.Equal(t, created.Revision, c.Entries[0].Revision)
	require.Equal(t, []scope.Name{scope.MustName("slice", "hostsall", "gone")}, c.Removed)

	put(t, elsewhere, "vm", "another's")
	requireWoken(t, aside)
	put(t, b, "vm", "two")
	requireWoken(t, changed)
	require.Empty(t, others)
	require.Empty(t, aside)
	requireValue(t, elsewhere, "vm", "another's")
	requireValue(t, a, "vm", "two")
}

// Everybody adds one to the same number, by what he read. No addition is lost, and none is made twice.
func TestConditionsHoldAcrossHeads(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	heads := []*etcd.Store{open(t, cluster.URL("/comet")), open(t, cluster.URL("/comet"))}
	put(t, heads[0], "vm", "0")
	const adders, additions = 4, 10
	var wg sync.WaitGroup
	for i := range adders {
		wg.Go(func() {
			for done := 0; done < additions; {
				made, err := addOne(heads[i%2])
				if !assert.NoError(t, err) {
					return
				}
				if made {
					done++
				}
			}
		})
	}
	wg.Wait()
	requireValue(t, heads[0], "vm", strconv.Itoa(adders*additions))
}

// addOne reports false where somebody else was faster.
func addOne(s server.Store) (made bool, err error) {
	e, _, err := s.Read(context.Background(), name, tokens.Read)
	if err != nil {
		return false, err
	}
	n, err := strconv.Atoi(e.Value)
	if err != nil {
		return false, err
	}
	_, err = s.Apply(context.Background(), server.Change{Name: name, Tokens: tokens, Value: strconv.Itoa(n + 1), IfRevision: e.Revision})
	if refused(err) {
		return false, nil
	}
	return err == nil, err
}

// Changes without conditions are made after each other, however many want to at once.
func TestWritersOfOneEntryAllSucceed(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	s := open(t, cluster.URL("/comet"))
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			_, err := s.Apply(context.Background(), write("vm", fmt.Sprint(i)))
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	require.EqualValues(t, 32, since(t, s, 0).Revision)
}

// What etcd compacted while this head could not reach it wakes everybody once, and what changed is found all the same.
func TestCompactionWhileTheWatchIsDown(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	p := startProxy(t, cluster.Members[0].Addr)
	a, b := open(t, p.url("/comet")), open(t, cluster.URL("/comet"))
	put(t, b, "kept", "1")
	put(t, b, "gone", "1")
	before := since(t, a, 0).Revision
	changed, unchanged := watch(t, a), watch(t, a, scope.MustFamily("pubkeysall"))

	p.cut()
	put(t, b, "kept", "2")
	remove(t, b, "gone")
	client := direct(t, cluster)
	r, err := client.Get(t.Context(), "x")
	require.NoError(t, err)
	_, err = client.Compact(t.Context(), r.Header.Revision, clientv3.WithCompactPhysical())
	require.NoError(t, err)
	p.mend()

	requireWoken(t, changed)
	requireWoken(t, unchanged)
	c := since(t, a, before)
	require.False(t, c.Whole)
	require.Equal(t, "2", c.Entries[0].Value)
	require.Equal(t, []scope.Name{scope.MustName("slice", "hostsall", "gone")}, c.Removed)

	put(t, b, "kept", "3") // and the watch is whole again
	for since(t, a, c.Revision).Entries == nil {
		requireWoken(t, changed)
	}
}

func TestWatchSurvivesEtcdStartingAgain(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	a, b := open(t, cluster.URL("/comet")), open(t, cluster.URL("/comet"))
	put(t, b, "vm", "one")
	changed := watch(t, a)
	cluster.Members[0].Kill()
	cluster.Members[0].Start()
	cluster.Members[0].WaitWell()
	put(t, b, "vm", "two")
	requireWoken(t, changed)
	requireValue(t, a, "vm", "two")
}
