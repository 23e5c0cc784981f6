package faulttest_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/internal/faulttest"
	"github.com/renci-nrig/comet-go/comet/internal/loopback"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
)

// openBolt opens a store in a file, whose entries may age; now and then it is closed and opened again, or its clock is set.
func openBolt(t *testing.T, s *faulttest.Schedule) (*faulttest.Store, faulttest.Part) {
	t.Helper()
	return openBoltIn(t, s, t.TempDir())
}

func openBoltIn(t *testing.T, s *faulttest.Schedule, dir string) (*faulttest.Store, faulttest.Part) {
	t.Helper()
	clock := faulttest.NewClock()
	store, err := faulttest.Open(func() (server.Store, error) {
		return bolt.Open(filepath.Join(dir, "comet.db"), bolt.WithExpiry(faulttest.Expiry), bolt.WithClock(clock.Now, clock.Elapsed))
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, store.Close())
		assert.Empty(t, leftovers(t, dir), "temporary files beside the store")
	})
	restarts := store.Restarts(func(err error) { assert.NoError(t, err) })
	return store, faulttest.Part{Name: "store", Faults: append(clock.Faults(s.Rand("clock")), restarts)}
}

// openEtcd opens the stores of three heads on a cluster of three, each behind proxies of which one at a time fails; late says whether what
// they hold back arrives in the end.
func openEtcd(t *testing.T, late bool) (stores []server.Store, members faulttest.Part, networks []faulttest.Part) {
	t.Helper()
	cluster := etcdtest.StartApart(t, 3)
	stores = make([]server.Store, 3)
	for i := range stores {
		network := faulttest.Part{Name: fmt.Sprint("network of head ", i)}
		var urls []string
		for _, m := range cluster.Members {
			p := loopback.NewProxy(t, m.Addr)
			urls = append(urls, p.Addr)
			network.Faults = append(network.Faults, faulttest.NetworkFaults(p, late)...)
		}
		store, err := etcd.Open(t.Context(), "etcd://"+strings.Join(urls, ",")+"/comet", etcd.WithTimeout(time.Second))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, store.Close()) })
		stores[i] = store
		networks = append(networks, network)
	}
	return stores, faulttest.MembersPart(cluster), networks
}

// proxies stand before heads; late says whether what they hold back arrives in the end.
func proxies(t *testing.T, heads *comettest.Heads, late bool) (urls string, parts []faulttest.Part) {
	t.Helper()
	var all []string
	for i, url := range strings.Split(heads.List(), ",") {
		p := loopback.NewProxy(t, strings.TrimSuffix(strings.TrimPrefix(url, "https://"), "/"))
		all = append(all, "https://"+p.Addr)
		parts = append(parts, faulttest.Part{Name: fmt.Sprint("network before head ", i), Faults: faulttest.NetworkFaults(p, late)})
	}
	return strings.Join(all, ","), parts
}
