package etcd_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/internal/etcdtest"
	"github.com/renci-nrig/comet-go/comet/server/storetest"
)

func TestStoreAges(t *testing.T) {
	cluster, stores := etcdtest.Start(t, 1), 0
	storetest.RunAgeing(t, 2*time.Second, func(t *testing.T, test func(*testing.T)) { test(t) }, func(t *testing.T, expiry time.Duration) server.Store {
		stores++
		s, err := etcd.Open(context.Background(), cluster.URL(fmt.Sprint("/ages/", stores)), etcd.WithExpiry(expiry))
		require.NoError(t, err)
		return s
	})
}

// What expired while no head ran, and what was there before there was ageing, is found by the head that starts.
func TestAgeingBeginsWithWhatIsThere(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	url, client := cluster.URL("/comet"), direct(t, cluster)
	keys := func(prefix string) int64 {
		r, err := client.Get(t.Context(), "/comet/"+prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
		require.NoError(t, err)
		return r.Count
	}
	s, err := etcd.Open(t.Context(), url)
	require.NoError(t, err)
	put(t, s, "vm", "one")
	put(t, s, "other", "one")
	remove(t, s, "other")
	require.NoError(t, s.Close())
	require.Zero(t, keys("lease/"))

	s, err = etcd.Open(t.Context(), url, etcd.WithExpiry(time.Second))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return keys("alive/") == 1 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, s.Close())
	require.Eventually(t, func() bool { return keys("alive/") == 0 }, time.Minute, 10*time.Millisecond)
	require.EqualValues(t, 1, keys("entries/"), "without a head nobody takes it away")

	s, err = etcd.Open(t.Context(), url, etcd.WithExpiry(time.Second))
	require.NoError(t, err)
	defer s.Close()
	require.Eventually(t, func() bool { return keys("entries/") == 0 }, time.Minute, 10*time.Millisecond)
	require.Zero(t, keys("removed/"))
	require.Zero(t, keys("lease/"))
	require.EqualValues(t, 1, keys("expired/"))
	c, err := s.Since(t.Context(), name.Context, tokens.Read, 1)
	require.NoError(t, err)
	require.True(t, c.Whole && c.Empty)
}
