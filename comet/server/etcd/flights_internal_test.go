package etcd

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newFlights() *flights[int64] {
	return &flights[int64]{start: func(f func()) { go f() }}
}

// Who asks while an answer is being looked for gets the next one, with all others who asked meanwhile.
func TestAnswersAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlights()
		var asked atomic.Int64
		goOn := make(chan struct{})
		ask := func(context.Context) (int64, error) {
			n := asked.Add(1)
			<-goOn
			return n, nil
		}
		var wg sync.WaitGroup
		caller := func(what string, want int64) {
			wg.Go(func() {
				n, err := f.share(t.Context(), what, ask)
				assert.NoError(t, err)
				assert.Equal(t, want, n)
			})
			synctest.Wait()
		}
		caller("a", 1)
		for range 100 {
			caller("a", 3)
		}
		caller("b", 2)
		close(goOn)
		wg.Wait()
		require.EqualValues(t, 3, asked.Load())
		require.Empty(t, f.waiting)
		require.Empty(t, f.running)
	})
}

func TestOneWhoLeavesTakesNoAnswerFromOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlights()
		goOn := make(chan struct{})
		ask := func(ctx context.Context) (int64, error) {
			<-goOn
			return 1, ctx.Err()
		}
		gone := errors.New("gone")
		ctx, leave := context.WithCancelCause(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := f.share(ctx, "a", ask)
			assert.ErrorIs(t, err, gone)
		})
		synctest.Wait()
		wg.Go(func() {
			n, err := f.share(t.Context(), "a", ask)
			assert.NoError(t, err)
			assert.EqualValues(t, 1, n)
		})
		synctest.Wait()
		leave(gone)
		synctest.Wait()
		close(goOn)
		wg.Wait()
	})
}

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		var wg sync.WaitGroup
		busy := map[string]*atomic.Int32{"a": {}, "b": {}, "c": {}}
		for _, keys := range [][]string{{"a", "b"}, {"b", "a"}, {"b", "c"}, {"c", "a"}, {"a"}, {"c"}} {
			for range 20 {
				wg.Go(func() {
					release, err := turns.take(t.Context(), append([]string{}, keys...))
					if !assert.NoError(t, err) {
						return
					}
					for _, k := range keys {
						assert.EqualValues(t, 1, busy[k].Add(1))
					}
					for _, k := range keys {
						busy[k].Add(-1)
					}
					release()
				})
			}
		}
		wg.Wait()
		require.Empty(t, turns.taken)

		release, err := turns.take(t.Context(), []string{"b"})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			_, err := turns.take(ctx, []string{"a", "b"})
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		require.Len(t, turns.taken, 1, "what was taken before it failed is given back")
		release()
		require.Empty(t, turns.taken)
	})
}
