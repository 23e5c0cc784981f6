package etcd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/comet/server/storetest"
)

func TestOperatorsSeeWhatTheyShould(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	var stores atomic.Int64
	storetest.RunContents(t, func(t testing.TB) storetest.Place {
		url := cluster.URL(fmt.Sprint("/sites/", stores.Add(1)))
		return storetest.Place{
			Open: func(t testing.TB) storetest.Contents {
				s, err := etcd.Open(context.Background(), url)
				require.NoError(t, err)
				return s
			},
			Import: func(ctx context.Context, f *contents.File) (contents.Imported, error) {
				return etcd.Import(ctx, url, f)
			},
		}
	})
}

// exported is an export of 100 entries, and what is called with the number of bytes whenever some of it are read.
func exported(t *testing.T, cluster *etcdtest.Cluster, progress func(int)) *contents.File {
	t.Helper()
	s, err := etcd.Open(t.Context(), cluster.URL("/from"))
	require.NoError(t, err)
	defer s.Close()
	for i := range 100 {
		put(t, s, fmt.Sprint("vm-", i), "one")
	}
	return exportOf(t, s, progress)
}

func exportOf(t *testing.T, s *etcd.Store, progress func(int)) *contents.File {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, s.Export(t.Context(), &b))
	path := filepath.Join(t.TempDir(), "export")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	f, err := contents.Open(path, progress)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// Heads have nothing to do with a store before all of it is there, and an import begins again where another one ended.
func TestHeadsRefuseHalfAnImport(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	url := cluster.URL("/to")
	ctx, stop := context.WithCancelCause(t.Context())
	lines, left := 0, errors.New("the operator left")
	f := exported(t, cluster, func(int) {
		if lines++; lines == 102+60 { // all of it once, to check it, and then some of it again
			stop(left)
		}
	})
	_, err := etcd.Import(ctx, url, f)
	require.ErrorIs(t, err, left)
	require.ErrorContains(t, err, "the store is not finished")
	_, err = etcd.Open(t.Context(), url)
	require.ErrorIs(t, err, etcd.ErrUnfinished)
	require.ErrorContains(t, err, url)

	did, err := etcd.Import(t.Context(), url, f)
	require.NoError(t, err)
	require.Equal(t, contents.Imported{Entries: 100, Added: 100, Made: true}, did)
	s := open(t, url)
	for i := range 100 {
		requireValue(t, s, fmt.Sprint("vm-", i), "one")
	}
}

func TestOfTwoImportsOneWins(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	url := cluster.URL("/to")
	second := exported(t, cluster, nil)
	lines := 0
	first := exported(t, cluster, func(int) {
		if lines++; lines == 102+60 {
			_, err := etcd.Import(t.Context(), url, second)
			require.NoError(t, err)
		}
	})
	_, err := etcd.Import(t.Context(), url, first)
	require.ErrorContains(t, err, "somebody else has made the store, or imports into it")
	groups, err := open(t, url).Groups(t.Context())
	require.NoError(t, err)
	require.Equal(t, 100, groups[0].Entries)
}

// Heads that run on an empty store have its key in their memory.
func TestEmptyStoresKeepTheirKey(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	url := cluster.URL("/to")
	s := open(t, url)
	_, err := etcd.Import(t.Context(), url, exported(t, cluster, nil))
	require.ErrorIs(t, err, etcd.ErrHasKey)
	put(t, s, "vm", "one")
	requireValue(t, open(t, url), "vm", "one")
}

func TestOpenWithoutMaking(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	for range 2 {
		_, err := etcd.Open(t.Context(), cluster.URL("/none"), etcd.WithoutMaking())
		require.ErrorIs(t, err, etcd.ErrNoStore)
	}
	open(t, cluster.URL("/none"))
	s, err := etcd.Open(t.Context(), cluster.URL("/none"), etcd.WithoutMaking())
	require.NoError(t, err)
	require.NoError(t, s.Close())
}
