// Package turns holds two ways of doing the same against each other, for benchmarks. Each has slices of time in turn, so that both meet
// the same weather: what counts is the ratio, which a busy machine changes little. Nothing else of benchmarks lives here.
package turns

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Call does what is measured once. Each goroutine has a number, from 0.
type Call func(ctx context.Context, goroutine int) error

// slice is how long one has its turn: the shorter, the more alike are the moments that both meet.
const slice = 60 * time.Millisecond

// Compare lets as many goroutines as given make ours, and then theirs. One iteration of the benchmark is a slice of each, after one of
// each that counts for nothing; run it with -benchtime 20x or more. It reports the medians: our calls/s, their part of the rate of
// theirs ("of-theirs"), and how many times its bytes we allocate ("x-bytes").
func Compare(b *testing.B, goroutines int, ours, theirs Call) {
	b.Helper()
	run(b, goroutines, ours) // connections are opened beforehand
	run(b, goroutines, theirs)
	var rates, ratios, bytes []float64
	for i := range b.N {
		var our, their measured
		if i%2 == 0 {
			our, their = run(b, goroutines, ours), run(b, goroutines, theirs)
		} else {
			their, our = run(b, goroutines, theirs), run(b, goroutines, ours)
		}
		rates, ratios, bytes = append(rates, our.rate), append(ratios, our.rate/their.rate), append(bytes, our.bytes/their.bytes)
	}
	b.ReportMetric(Median(rates), "calls/s")
	b.ReportMetric(Median(ratios), "of-theirs")
	b.ReportMetric(Median(bytes), "x-bytes")
	b.ReportMetric(0, "ns/op") // which would be of both together
}

type measured struct {
	rate  float64 // calls per second
	bytes float64 // allocated per call, by this process
}

func run(b *testing.B, goroutines int, call Call) measured {
	var before, after runtime.MemStats
	var calls atomic.Int64
	var running sync.WaitGroup
	runtime.ReadMemStats(&before)
	start := time.Now()
	for g := range goroutines {
		running.Go(func() {
			for time.Since(start) < slice {
				if err := call(b.Context(), g); err != nil {
					b.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	running.Wait()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	n := float64(calls.Load())
	return measured{n / took.Seconds(), float64(after.TotalAlloc-before.TotalAlloc) / n}
}

// Median returns the middle of the list, the higher one where there are two. The list has at least one.
func Median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
