package turns_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/internal/turns"
)

func TestCompare(t *testing.T) {
	var kept atomic.Pointer[[]byte] // so that it is allocated indeed
	var seen [2]atomic.Bool
	allocate := func(n int) turns.Call {
		return func(_ context.Context, goroutine int) error {
			seen[goroutine].Store(true)
			b := make([]byte, n)
			kept.Store(&b)
			return nil
		}
	}
	result := testing.Benchmark(func(b *testing.B) { turns.Compare(b, 2, allocate(8<<10), allocate(4<<10)) })
	assert.Positive(t, result.Extra["calls/s"])
	assert.Positive(t, result.Extra["of-theirs"])
	assert.InDelta(t, 2, result.Extra["x-bytes"], 0.1)
	for i := range seen {
		assert.True(t, seen[i].Load(), "goroutine %d", i)
	}
}

func TestMedian(t *testing.T) {
	list := []float64{3, 1, 2}
	require.InDelta(t, 2, turns.Median(list), 0)
	require.Equal(t, []float64{3, 1, 2}, list, "it stays as it is")
	require.InDelta(t, 2, turns.Median([]float64{1, 2}), 0)
}
