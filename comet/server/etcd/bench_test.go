package etcd_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/internal/turns"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/scope"
)

// A change against etcd's own client that reads the same keys and then makes the same transaction with a value of 1 KiB.
func BenchmarkApply(b *testing.B) {
	for _, goroutines := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			cluster := etcdtest.Start(b, 1)
			s := open(b, cluster.URL("/comet"))
			client := direct(b, cluster)
			var n atomic.Int64
			turns.Compare(b, goroutines, func(ctx context.Context, _ int) error {
				i := n.Add(1)
				_, err := s.Apply(ctx, write(fmt.Sprint("vm-", i%1000), fmt.Sprintf("%-1024d", i)))
				return err
			}, func(ctx context.Context, _ int) error {
				i := n.Add(1)
				return transaction(ctx, client, fmt.Sprint("vm-", i%1000), fmt.Sprintf("%-1073d", i))
			})
		})
	}
}

func transaction(ctx context.Context, client *clientv3.Client, key, value string) error {
	group := "slice.0123456789abcdef0123456789abcdef"
	entry, removal := "/client/entries/"+group+"hostsall."+key, "/client/removed/"+group+"hostsall."+key
	got, err := client.Txn(ctx).Then(clientv3.OpGet(entry), clientv3.OpGet(removal)).Commit()
	if err != nil {
		return err
	}
	var revision int64
	for _, kv := range got.Responses[0].GetResponseRange().Kvs {
		revision = kv.ModRevision
	}
	made, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(entry), "=", revision)).
		Then(clientv3.OpPut(entry, value), clientv3.OpPut("/client/changed/"+group, "hostsall")).
		Commit()
	if err == nil && !made.Succeeded {
		return fmt.Errorf("somebody else changed %s", key)
	}
	return err
}

// One entry read out of few and many, against etcd's own client reading the same key.
func BenchmarkRead(b *testing.B) {
	for _, goroutines := range []int{1, 16} {
		for _, entries := range []int{10, 10000} {
			b.Run(fmt.Sprintf("goroutines=%d,entries=%d", goroutines, entries), func(b *testing.B) {
				cluster := etcdtest.Start(b, 1)
				s := open(b, cluster.URL("/comet"))
				fill(b, s, entries)
				client := direct(b, cluster)
				key := entryKey(b, client)
				turns.Compare(b, goroutines, func(ctx context.Context, goroutine int) error {
					name := scope.MustName("slice", "hostsall", fmt.Sprint("vm-", goroutine%10))
					_, found, err := s.Read(ctx, name, tokens.Read)
					if !found && err == nil {
						return fmt.Errorf("%s is not there", name)
					}
					return err
				}, func(ctx context.Context, _ int) error {
					_, err := client.Get(ctx, key)
					return err
				})
			})
		}
	}
}

// What changed since the newest revision but one, out of few and many.
func BenchmarkSince(b *testing.B) {
	for _, entries := range []int{10, 1000} {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			cluster := etcdtest.Start(b, 1)
			s := open(b, cluster.URL("/comet"))
			fill(b, s, entries)
			revision := put(b, s, "vm-0", "new").Revision
			for b.Loop() {
				require.Len(b, since(b, s, revision-1).Entries, 1)
			}
		})
	}
}

func fill(b *testing.B, s server.Store, entries int) {
	var changes []server.Change
	for i := range entries {
		changes = append(changes, write(fmt.Sprint("vm-", i), fmt.Sprintf("%-1024d", i)))
		if len(changes) == etcd.MaxChanges || i == entries-1 {
			_, err := s.Apply(b.Context(), changes...)
			require.NoError(b, err)
			changes = nil
		}
	}
}

func entryKey(b *testing.B, client *clientv3.Client) string {
	r, err := client.Get(b.Context(), "/comet/entries/", clientv3.WithPrefix(), clientv3.WithLimit(1))
	require.NoError(b, err)
	return string(r.Kvs[0].Key)
}
