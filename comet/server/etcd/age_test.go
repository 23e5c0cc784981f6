package etcd_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/comet/server/storetest"
	"github.com/renci-nrig/comet-go/scope"
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

// What was there before there was ageing begins its life when a head with an expiry starts, and what lapsed while no head ran, begins
// another.
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
	requireValue(t, s, "vm", "one")
	require.NoError(t, s.Close())
	require.Eventually(t, func() bool { return keys("alive/") == 0 }, time.Minute, 10*time.Millisecond)

	s, err = etcd.Open(t.Context(), url, etcd.WithExpiry(time.Second))
	require.NoError(t, err)
	defer s.Close()
	require.Eventually(t, func() bool { return keys("alive/") == 1 }, time.Minute, 10*time.Millisecond)
	require.EqualValues(t, 1, keys("entries/"))
	require.Eventually(t, func() bool { return keys("entries/") == 0 }, time.Minute, 10*time.Millisecond)
	require.Zero(t, keys("removed/"))
	require.Zero(t, keys("lease/"))
	require.EqualValues(t, 1, keys("expired/"))
	c, err := s.Since(t.Context(), name.Context, tokens.Read, 1)
	require.NoError(t, err)
	require.True(t, c.Whole && c.Empty)
}

// A head without an expiry cannot renew what it writes. What it writes begins a new life, whatever became of the old one.
func TestWritesWithoutExpiryGiveLife(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	url, client := cluster.URL("/comet"), direct(t, cluster)
	keys := func(prefix string) int64 {
		r, err := client.Get(t.Context(), "/comet/"+prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
		require.NoError(t, err)
		return r.Count
	}
	ageing, ageless := open(t, url, etcd.WithExpiry(3*time.Second)), open(t, url)
	put(t, ageing, "vm", "one")
	require.EqualValues(t, 1, keys("lease/"))
	put(t, ageless, "vm", "two")
	require.Zero(t, keys("lease/"))
	require.Eventually(t, func() bool { return keys("lease/") == 1 }, time.Minute, 10*time.Millisecond, "the old life ended")
	require.EqualValues(t, 1, keys("alive/"))
	requireValue(t, ageless, "vm", "two")
	put(t, ageless, "other", "one")
	require.Zero(t, keys("lease/"))
	put(t, ageing, "vm", "three")
	requireValue(t, ageless, "other", "one")
}

// An import knows no expiry: what it is about begins a new life with the next head that does, whether or not it had lapsed.
func TestImportsGiveLife(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	url, client := cluster.URL("/comet"), direct(t, cluster)
	keys := func(prefix string) []*mvccpb.KeyValue {
		r, err := client.Get(t.Context(), "/comet/"+prefix, clientv3.WithPrefix())
		require.NoError(t, err)
		return r.Kvs
	}
	left := func() int64 {
		r, err := client.TimeToLive(t.Context(), clientv3.LeaseID(binary.BigEndian.Uint64(keys("lease/")[0].Value)))
		require.NoError(t, err)
		return r.TTL
	}
	s, err := etcd.Open(t.Context(), url, etcd.WithExpiry(30*time.Second))
	require.NoError(t, err)
	put(t, s, "vm", "one")
	f := exportOf(t, s, nil)
	require.NoError(t, s.Close())
	require.Eventually(t, func() bool { return left() < 58 }, time.Minute, 10*time.Millisecond)
	for _, lapsed := range []bool{false, true} {
		if lapsed {
			_, err = client.Revoke(t.Context(), clientv3.LeaseID(binary.BigEndian.Uint64(keys("lease/")[0].Value)))
			require.NoError(t, err)
		}
		did, err := etcd.Import(t.Context(), url, f, etcd.WithExpiry(time.Minute))
		require.NoError(t, err)
		require.Equal(t, contents.Imported{Entries: 1, Kept: 1}, did)
		require.Empty(t, keys("lease/"))
		s, err = etcd.Open(t.Context(), url, etcd.WithExpiry(30*time.Second))
		require.NoError(t, err)
		require.Eventually(t, func() bool { return len(keys("lease/")) == 1 }, time.Minute, 10*time.Millisecond)
		require.GreaterOrEqual(t, left(), int64(58))
		requireValue(t, s, "vm", "one")
		require.NoError(t, s.Close())
	}
	require.Empty(t, keys("expired/"))
}

// What an operator purged leaves removals, for those who watch, until its time is over; a head's own purge and a tool's do the same.
func TestPurgedEntriesLeaveNothingInTheEnd(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	url, client := cluster.URL("/comet"), direct(t, cluster)
	keys := func(prefix string) int64 {
		r, err := client.Get(t.Context(), "/comet/"+prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
		require.NoError(t, err)
		return r.Count
	}
	head := open(t, url, etcd.WithExpiry(3*time.Second))
	for _, tool := range []*etcd.Store{head, open(t, url)} {
		put(t, head, "vm", "one")
		n, err := tool.Purge(t.Context(), name.Context, time.Now())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Zero(t, keys("entries/"))
		for _, left := range []string{"removed/", "lease/", "alive/"} {
			require.Eventually(t, func() bool { return keys(left) == 0 }, time.Minute, 10*time.Millisecond, left)
		}
	}
}

// Several heads renew, write and take away what is one: nothing acknowledged is lost, and what a head renewed no other takes away.
func TestHeadsAgeTogether(t *testing.T) {
	const expiry = 2 * time.Second
	cluster := etcdtest.Start(t, 1)
	heads := make([]*etcd.Store, 3)
	for i := range heads {
		heads[i] = open(t, cluster.URL("/comet"), etcd.WithExpiry(expiry))
	}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			of := scope.Tokens{Read: scope.MustToken(fmt.Sprint("reads ", i)), Write: scope.MustToken(fmt.Sprint("writes ", i))}
			write := func(head int, value string) {
				_, err := heads[head%3].Apply(context.Background(), server.Change{Name: name, Tokens: of, Value: value, MayCreate: true})
				assert.NoError(t, err)
			}
			requireValue := func(head int, value string) {
				e, found, err := heads[head%3].Read(context.Background(), name, of.Read)
				assert.NoError(t, err)
				assert.True(t, found && e.Value == value, "an acknowledged write is lost")
			}
			write(i, "first")
			for began, turn := time.Now(), i; time.Since(began) < 3*expiry; turn++ {
				time.Sleep(expiry / 4)
				requireValue(turn, "first")
			}
			for round := range 2 {
				time.Sleep(2*expiry - expiry/8 + rand.N(expiry/4)) // until it is about to expire
				write(i+round, fmt.Sprint("late ", round))
				requireValue(i+round+1, fmt.Sprint("late ", round))
			}
		})
	}
	wg.Wait()
}
