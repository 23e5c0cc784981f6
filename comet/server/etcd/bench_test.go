package etcd_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/scope"
)

// chunk is how many calls of one kind are made before it is the other kind's turn, so that both meet the same disk.
const chunk = 320

// compare makes b.N calls of each kind by as many goroutines, in turns, and reports the rates and what part of theirs ours is.
func compare(b *testing.B, goroutines int, ours, theirs func(i int) error) {
	run := func(from, to int, call func(int) error) time.Duration {
		began := time.Now()
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := from + g; i < to; i += goroutines {
					if err := call(i); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		return time.Since(began)
	}
	var mine, other time.Duration
	b.ResetTimer()
	for from := 0; from < b.N; from += chunk {
		to := min(from+chunk, b.N)
		mine += run(from, to, ours)
		other += run(from, to, theirs)
	}
	b.ReportMetric(0, "ns/op") // of both kinds together
	b.ReportMetric(float64(b.N)/mine.Seconds(), "ours/s")
	b.ReportMetric(float64(b.N)/other.Seconds(), "client/s")
	b.ReportMetric(other.Seconds()/mine.Seconds(), "ratio")
}

// A change against etcd's own client that reads the same keys and then makes the same transaction with a value of 1 KiB.
func BenchmarkApply(b *testing.B) {
	for _, goroutines := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			cluster := etcdtest.Start(b, 1)
			s := open(b, cluster.URL("/comet"))
			client := direct(b, cluster)
			compare(b, goroutines, func(i int) error {
				_, err := s.Apply(context.Background(), write(fmt.Sprint("vm-", i%1000), fmt.Sprintf("%-1024d", i)))
				return err
			}, func(i int) error {
				return transaction(client, fmt.Sprint("vm-", i%1000), fmt.Sprintf("%-1073d", i))
			})
		})
	}
}

func transaction(client *clientv3.Client, key, value string) error {
	group := "slice.0123456789abcdef0123456789abcdef"
	entry, removal := "/client/entries/"+group+"hostsall."+key, "/client/removed/"+group+"hostsall."+key
	got, err := client.Txn(context.Background()).Then(clientv3.OpGet(entry), clientv3.OpGet(removal)).Commit()
	if err != nil {
		return err
	}
	var revision int64
	for _, kv := range got.Responses[0].GetResponseRange().Kvs {
		revision = kv.ModRevision
	}
	made, err := client.Txn(context.Background()).
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
			b.Run(fmt.Sprintf("goroutines=%d/entries=%d", goroutines, entries), func(b *testing.B) {
				cluster := etcdtest.Start(b, 1)
				s := open(b, cluster.URL("/comet"))
				fill(b, s, entries)
				client := direct(b, cluster)
				key := entryKey(b, client)
				compare(b, goroutines, func(i int) error {
					_, found, err := s.Read(context.Background(), scope.MustName("slice", "hostsall", fmt.Sprint("vm-", i%10)), tokens.Read)
					if !found && err == nil {
						return fmt.Errorf("vm-%d is not there", i%10)
					}
					return err
				}, func(i int) error {
					_, err := client.Get(context.Background(), key)
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
