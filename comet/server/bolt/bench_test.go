package bolt_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// Durable writes of 1 KiB by as many writers, each to entries of its own.
func BenchmarkApply(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "comet.db"))
			var wg sync.WaitGroup
			b.ResetTimer()
			for w := range writers {
				wg.Go(func() {
					for i := w; i < b.N; i += writers {
						n := scope.MustName("slice", "hostsall", fmt.Sprintf("vm-%d", i%10000))
						value := fmt.Sprintf("%-1024d", i)
						if _, err := s.Apply(b.Context(), server.Change{Name: n, Tokens: tokens, Value: value, MayCreate: true}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
		})
	}
}

// One entry read out of few and many.
func BenchmarkRead(b *testing.B) {
	for _, entries := range []int{10, 10000} {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "comet.db"))
			var changes []server.Change
			for i := range entries {
				n := scope.MustName("slice", "hostsall", fmt.Sprintf("vm-%d", i))
				changes = append(changes, server.Change{Name: n, Tokens: tokens, Value: strings.Repeat("x", 1024), MayCreate: true})
			}
			if _, err := s.Apply(b.Context(), changes...); err != nil {
				b.Fatal(err)
			}
			for i := 0; b.Loop(); i++ {
				n := scope.MustName("slice", "hostsall", fmt.Sprintf("vm-%d", i%entries))
				if _, found, err := s.Read(b.Context(), n, tokens.Read); err != nil || !found {
					b.Fatal(found, err)
				}
			}
		})
	}
}
