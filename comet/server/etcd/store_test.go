package etcd_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/comet/server/storetest"
	"github.com/renci-nrig/comet-go/scope"
)

func TestMain(m *testing.M) {
	if settings := os.Getenv(headEnv); settings != "" {
		log.Fatal(serveHead(settings))
	}
	goleak.VerifyTestMain(m)
}

var (
	tokens = scope.Tokens{Read: scope.MustToken("Read-Token-0001"), Write: scope.MustToken("Write-Token-0001")}
	name   = scope.MustName("slice", "hostsall", "vm")
)

func open(t testing.TB, url string, options ...etcd.Option) *etcd.Store {
	t.Helper()
	s, err := etcd.Open(context.Background(), url, options...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// direct is etcd's own client, for what a store hides.
func direct(t testing.TB, c *etcdtest.Cluster) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://" + c.Members[0].Addr}, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

func write(key, value string) server.Change {
	return server.Change{Name: scope.MustName("slice", "hostsall", key), Tokens: tokens, Value: value, MayCreate: true}
}

func put(t testing.TB, s server.Store, key, value string) server.Result {
	t.Helper()
	results, err := s.Apply(context.Background(), write(key, value))
	require.NoError(t, err)
	return results[0]
}

func remove(t testing.TB, s server.Store, key string) server.Result {
	t.Helper()
	results, err := s.Apply(context.Background(), server.Change{Name: scope.MustName("slice", "hostsall", key), Tokens: tokens, Delete: true})
	require.NoError(t, err)
	return results[0]
}

func requireValue(t testing.TB, s server.Store, key, value string) {
	t.Helper()
	e, found, err := s.Read(context.Background(), scope.MustName("slice", "hostsall", key), tokens.Read)
	require.NoError(t, err)
	require.True(t, found, key)
	require.Equal(t, value, e.Value)
}

func TestStoreDoesWhatStoresDo(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	var stores atomic.Int64
	storetest.Run(t, func(t testing.TB) server.Store {
		s, err := etcd.Open(context.Background(), cluster.URL(fmt.Sprint("/sites/", stores.Add(1))))
		require.NoError(t, err)
		return s
	})
}

func TestHeadsThatStartTogetherAgree(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	for round := range 5 {
		url := cluster.URL(fmt.Sprint("/round/", round))
		stores := make([]*etcd.Store, 8)
		var wg sync.WaitGroup
		for i := range stores {
			wg.Go(func() {
				var err error
				stores[i], err = etcd.Open(context.Background(), url)
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		require.False(t, t.Failed())
		for i, s := range stores {
			require.Equal(t, stores[0].Identity(), s.Identity())
			require.Equal(t, i == 0, put(t, s, "vm", "one").Created, "another key of digests is another entry")
			requireValue(t, s, "vm", "one")
		}
		for _, s := range stores {
			require.NoError(t, s.Close())
		}
	}
}
