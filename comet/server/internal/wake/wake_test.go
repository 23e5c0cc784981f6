package wake_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/comet/server/internal/wake"
	"github.com/renci-nrig/comet-go/scope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func topic(context string, read byte, family string) wake.Topic {
	return wake.Topic{Context: scope.MustName(context, "x", "x").Context, Read: digest.Digest{read}, Family: scope.MustFamily(family)}
}

// woken reports whether the channel has a value, and takes it.
func woken(c <-chan struct{}) bool {
	select {
	case _, open := <-c:
		return open
	default:
		return false
	}
}

func TestWholeGroupsAreWoken(t *testing.T) {
	var h wake.Hub
	one := topic("one", 1, "hosts")
	watch := func(w wake.Topic, families ...scope.Family) <-chan struct{} {
		c, err := h.Watch(t.Context(), w.Context, w.Read, families...)
		require.NoError(t, err)
		return c
	}
	hosts, keys := scope.MustFamily("hosts"), scope.MustFamily("pubkeys")
	yes := []<-chan struct{}{watch(one), watch(one, hosts), watch(one, keys, hosts), watch(one, keys)}
	no := []<-chan struct{}{watch(topic("one", 2, "hosts")), watch(topic("one", 2, "hosts"), hosts), watch(topic("two", 1, "hosts"), hosts)}
	h.WakeGroup(wake.Topic{Context: one.Context, Read: one.Read})
	for i, c := range yes {
		require.True(t, woken(c), i)
		require.False(t, woken(c), i)
	}
	for i, c := range no {
		require.False(t, woken(c), i)
	}
	h.Close()
	h.WakeGroup(wake.Topic{Context: one.Context, Read: one.Read})
}

func TestOnlyWhoWaitsForItIsWoken(t *testing.T) {
	var h wake.Hub
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	one := topic("one", 1, "hosts")
	watch := func(w wake.Topic, families ...scope.Family) <-chan struct{} {
		c, err := h.Watch(ctx, w.Context, w.Read, families...)
		require.NoError(t, err)
		return c
	}
	hosts, keys := scope.MustFamily("hosts"), scope.MustFamily("pubkeys")
	yes := map[string]<-chan struct{}{
		"the family":           watch(one, hosts),
		"one of its families":  watch(one, keys, hosts),
		"a family given twice": watch(one, hosts, hosts),
		"all families":         watch(one),
	}
	no := map[string]<-chan struct{}{
		"another family":                  watch(one, keys),
		"another token":                   watch(topic("one", 2, "hosts"), hosts),
		"all families of another token":   watch(topic("one", 2, "hosts")),
		"another context":                 watch(topic("two", 1, "hosts"), hosts),
		"all families of another context": watch(topic("two", 1, "hosts")),
	}
	for range 2 {
		h.Wake(one)
		h.Wake(one, one) // what is not taken yet is one value
		for what, c := range yes {
			require.True(t, woken(c), what)
			require.False(t, woken(c), what)
		}
		for what, c := range no {
			require.False(t, woken(c), what)
		}
	}
}

func TestChannelsEndWithTheirContextOrTheHub(t *testing.T) {
	var h wake.Hub
	one := topic("one", 1, "hosts")
	ctx, cancel := context.WithCancel(t.Context())
	left, err := h.Watch(ctx, one.Context, one.Read)
	require.NoError(t, err)
	stays, err := h.Watch(t.Context(), one.Context, one.Read, one.Family, scope.MustFamily("other"))
	require.NoError(t, err)
	cancel()
	_, open := <-left
	require.False(t, open)
	require.Equal(t, 2, h.Topics(), "what nobody waits for is forgotten")
	h.Wake(one)
	require.True(t, woken(stays))

	already, err := h.Watch(ctx, one.Context, one.Read)
	require.NoError(t, err)
	_, open = <-already
	require.False(t, open, "the context had ended before")

	h.Close()
	_, open = <-stays
	require.False(t, open)
	h.Close()
	h.Wake(one)
	_, err = h.Watch(t.Context(), one.Context, one.Read)
	require.ErrorIs(t, err, server.ErrClosed)
	require.Zero(t, h.Topics())
}

func TestLateNewsWakeOnlyWhoCameBefore(t *testing.T) {
	var h wake.Hub
	defer h.Close()
	one := topic("one", 1, "hosts")
	early, err := h.WatchAfter(t.Context(), 4, one.Context, one.Read, one.Family)
	require.NoError(t, err)
	late, err := h.WatchAfter(t.Context(), 5, one.Context, one.Read)
	require.NoError(t, err)
	h.WakeAt(5, one)
	require.True(t, woken(early))
	require.False(t, woken(late))
	h.WakeAt(6, one)
	require.True(t, woken(early))
	require.True(t, woken(late))
	h.All()
	require.True(t, woken(early))
	require.True(t, woken(late))
}

func TestManyComeAndGoWhileOthersAreWoken(t *testing.T) {
	var h wake.Hub
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			one := topic(fmt.Sprint(i%2), 1, "hosts")
			for range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				c, err := h.Watch(ctx, one.Context, one.Read, one.Family)
				assert.NoError(t, err)
				h.Wake(one)
				_, open := <-c
				assert.True(t, open)
				cancel()
				for range c { // until it is closed
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, h.Topics())
	h.Close()
}

// Waking ten thousand, none of whom takes the value: what every change after the first costs them.
func BenchmarkWake(b *testing.B) {
	for _, watchers := range []int{1, 10000} {
		b.Run(fmt.Sprintf("watchers=%d", watchers), func(b *testing.B) {
			var h wake.Hub
			defer h.Close()
			one := topic("one", 1, "hosts")
			for range watchers {
				_, err := h.Watch(b.Context(), one.Context, one.Read, one.Family)
				require.NoError(b, err)
			}
			for b.Loop() {
				h.Wake(one)
			}
		})
	}
}
