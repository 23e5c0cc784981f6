package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/scope"
)

func refused(err error) bool {
	_, ok := errors.AsType[*server.ChangeError](err)
	return ok
}

// crowd writes entries of its own until it is stopped, and knows which of them were acknowledged.
type crowd struct {
	stop         chan struct{}
	wg           sync.WaitGroup
	mu           sync.Mutex
	acknowledged map[string]string
	count        atomic.Int64
}

func startCrowd(t *testing.T, heads ...*etcd.Store) *crowd {
	c := &crowd{stop: make(chan struct{}), acknowledged: map[string]string{}}
	for w := range 6 {
		c.wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-c.stop:
					return
				default:
				}
				key, value := fmt.Sprintf("%d-%d", w, i%50), fmt.Sprint(i)
				_, err := heads[(w+i)%len(heads)].Apply(context.Background(), write(key, value))
				c.mu.Lock()
				if err == nil {
					c.acknowledged[key] = value
					c.count.Add(1)
				} else {
					delete(c.acknowledged, key) // the old value, or the new one
					assert.False(t, refused(err), "%v", err)
				}
				c.mu.Unlock()
			}
		})
	}
	return c
}

// more waits for more acknowledged writes.
func (c *crowd) more(t *testing.T, n int64) {
	t.Helper()
	target := c.count.Load() + n
	require.Eventually(t, func() bool { return c.count.Load() >= target }, patience, 5*time.Millisecond)
}

func (c *crowd) requireAll(t *testing.T, s server.Store) {
	t.Helper()
	close(c.stop)
	c.wg.Wait()
	require.NotEmpty(t, c.acknowledged)
	l, err := s.List(t.Context(), name.Context, tokens.Read, scope.Family{})
	require.NoError(t, err)
	there := map[string]string{}
	for _, e := range l.Entries {
		there[e.Name.Key.String()] = e.Value
	}
	for key, value := range c.acknowledged {
		require.Equal(t, value, there[key], "an acknowledged write is not there")
	}
}

func TestAnyOneMemberMayFail(t *testing.T) {
	cluster := etcdtest.StartApart(t, 3)
	heads := []*etcd.Store{open(t, cluster.URL("/comet"), etcd.WithTimeout(3*time.Second)), open(t, cluster.URL("/comet"), etcd.WithTimeout(3*time.Second))}
	for _, way := range []struct {
		name      string
		hit, mend func(i int)
	}{
		{"dies", func(i int) { cluster.Members[i].Kill() }, func(i int) { cluster.Members[i].Start() }},
		{"freezes", func(i int) { cluster.Members[i].Freeze() }, func(i int) { cluster.Members[i].Thaw() }},
		{"is cut off", cluster.CutOff, func(int) { cluster.Join() }},
	} {
		for i, m := range cluster.Members {
			t.Run(fmt.Sprintf("member %d %s", i, way.name), func(t *testing.T) {
				changed := watch(t, heads[1])
				c := startCrowd(t, heads...)
				c.more(t, 50)
				way.hit(i)
				c.more(t, 50)
				way.mend(i)
				m.WaitWell()
				c.more(t, 50)
				requireWoken(t, changed)
				c.requireAll(t, heads[0])
			})
		}
	}
}

// Members that fall silent in the middle of a transaction do not make anybody add twice.
func TestNothingIsMadeTwice(t *testing.T) {
	cluster := etcdtest.Start(t, 3)
	s := open(t, cluster.URL("/comet"), etcd.WithTimeout(3*time.Second))
	put(t, s, "vm", "0")
	var made, unknown atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if ok, err := addOne(s); ok {
					made.Add(1)
				} else if err != nil {
					unknown.Add(1)
				}
			}
		})
	}
	for _, m := range cluster.Members {
		target := made.Load() + 3
		m.Freeze()
		require.Eventually(t, func() bool { return made.Load() >= target }, patience, 5*time.Millisecond)
		m.Thaw()
		m.WaitWell()
	}
	close(stop)
	wg.Wait()
	e, _, err := s.Read(t.Context(), name, tokens.Read)
	require.NoError(t, err)
	var n int64
	_, err = fmt.Sscan(e.Value, &n)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, made.Load())
	require.LessOrEqual(t, n, made.Load()+unknown.Load())
}

func TestWithoutQuorumCallsFailAndWorkAgainAfterwards(t *testing.T) {
	cluster := etcdtest.Start(t, 3)
	s := open(t, cluster.URL("/comet"), etcd.WithTimeout(time.Second))
	put(t, s, "vm", "one")
	changed := watch(t, s)
	cluster.Members[0].Kill()
	cluster.Members[1].Kill()

	ctx, cancel := context.WithTimeout(t.Context(), patience) // which is not what ends the calls
	defer cancel()
	_, _, err := s.Read(ctx, name, tokens.Read)
	require.ErrorIs(t, err, etcd.ErrUnavailable)
	_, err = s.List(ctx, name.Context, tokens.Read, scope.Family{})
	require.ErrorIs(t, err, etcd.ErrUnavailable)
	_, err = s.Since(ctx, name.Context, tokens.Read, 0)
	require.ErrorIs(t, err, etcd.ErrUnavailable)
	_, err = s.Apply(ctx, write("vm", "two"))
	require.ErrorIs(t, err, etcd.ErrUnavailable)
	require.NotContains(t, err.Error(), "may or may not", "nothing was sent but a question")
	_, err = etcd.Open(ctx, cluster.URL("/comet"), etcd.WithTimeout(time.Second))
	require.ErrorIs(t, err, etcd.ErrUnavailable)
	require.Contains(t, err.Error(), cluster.URL("/comet"))
	require.NotContains(t, err.Error(), "\n")
	require.NoError(t, ctx.Err())

	cluster.Members[0].Start()
	cluster.Members[1].Start()
	for _, m := range cluster.Members {
		m.WaitWell()
	}
	require.Eventually(t, func() bool {
		_, err := s.Apply(ctx, write("vm", "three"))
		return err == nil
	}, patience, 10*time.Millisecond)
	requireWoken(t, changed)
	requireValue(t, s, "vm", "three")
}

// A leader that the others have left behind does not know what they do, and says nothing rather than what was.
func TestACutOffLeaderSaysNothingOld(t *testing.T) {
	cluster := etcdtest.StartApart(t, 3)
	leader := leads(t, cluster)
	all := open(t, cluster.URL("/comet"), etcd.WithTimeout(3*time.Second))
	alone := open(t, "etcd://"+cluster.Members[leader].Addr+"/comet", etcd.WithTimeout(time.Second))
	put(t, all, "vm", "before")
	requireValue(t, alone, "vm", "before")
	changed := watch(t, alone)

	cluster.CutOff(leader)
	require.Eventually(t, func() bool {
		_, err := all.Apply(t.Context(), write("vm", "after"))
		return err == nil
	}, patience, 5*time.Millisecond)
	_, _, err := alone.Read(t.Context(), name, tokens.Read)
	require.ErrorIs(t, err, etcd.ErrUnavailable)
	_, err = alone.Apply(t.Context(), write("vm", "lost"))
	require.ErrorIs(t, err, etcd.ErrUnavailable)

	cluster.Join()
	requireWoken(t, changed)
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		e, _, err := alone.Read(context.Background(), name, tokens.Read)
		assert.NoError(t, err)
		assert.Equal(t, "after", e.Value)
	}, patience, 5*time.Millisecond)
}

func leads(t *testing.T, cluster *etcdtest.Cluster) (member int) {
	t.Helper()
	client := direct(t, cluster)
	for i, m := range cluster.Members {
		r, err := client.Status(t.Context(), m.Addr)
		require.NoError(t, err)
		if r.Leader == r.Header.MemberId {
			return i
		}
	}
	require.Fail(t, "nobody leads")
	return -1
}

// With the change that fills etcd it says that it has no space, and makes it. What is refused is not there afterwards, what was made is
// acknowledged, and all is read as before.
func TestAFullEtcdMakesWhatItAcknowledges(t *testing.T) {
	cluster := etcdtest.Start(t, 1, "--quota-backend-bytes", fmt.Sprint(16<<20))
	s := open(t, cluster.URL("/comet"), etcd.WithExpiry(time.Hour), etcd.WithTimeout(patience))
	big := strings.Repeat("v", 512<<10)
	requireFull := func(err error) {
		if !assert.ErrorIs(t, err, server.ErrNoRoom) {
			return
		}
		assert.NotErrorIs(t, err, etcd.ErrUnavailable)
		assert.NotContains(t, err.Error(), "may or may not")
		assert.NotContains(t, err.Error(), "vv")
		assert.NotContains(t, err.Error(), "\n")
	}
	acknowledged := make([]string, 8)
	var wg sync.WaitGroup
	for w := range acknowledged {
		wg.Go(func() {
			for i := 0; ; i++ { // etcd keeps each of them
				value := fmt.Sprint(i, big)
				if _, err := s.Apply(context.Background(), write(fmt.Sprint("vm-", w), value)); err != nil {
					requireFull(err)
					return
				}
				acknowledged[w] = value
			}
		})
	}
	wg.Wait()
	client := direct(t, cluster)
	require.Eventually(t, func() bool { // it raises the alarm after it has answered
		r, err := client.AlarmList(t.Context())
		return err == nil && len(r.Alarms) > 0
	}, patience, 5*time.Millisecond)
	there := func(s server.Store) {
		t.Helper()
		for w, value := range acknowledged {
			requireValue(t, s, fmt.Sprint("vm-", w), value)
		}
	}
	_, err := s.Apply(t.Context(), server.Change{Name: scope.MustName("slice", "hostsall", "vm-0"), Tokens: tokens, Delete: true})
	requireFull(err)
	_, err = s.Apply(t.Context(), server.Change{Name: scope.MustName("other", "f", "k"), Tokens: tokens, Value: "1", MayCreate: true}) // a lease first
	requireFull(err)
	there(s)
	again := open(t, cluster.URL("/comet"), etcd.WithExpiry(time.Hour))
	there(again)
	l, err := again.List(t.Context(), name.Context, tokens.Read, scope.Family{})
	require.NoError(t, err)
	require.Len(t, l.Entries, len(acknowledged))
	require.Len(t, since(t, again, 0).Entries, len(acknowledged))
	changed := watch(t, again)

	r, err := client.Get(t.Context(), "any")
	require.NoError(t, err)
	_, err = client.Compact(t.Context(), r.Header.Revision, clientv3.WithCompactPhysical())
	require.NoError(t, err)
	_, err = client.Defragment(t.Context(), cluster.Members[0].Addr)
	require.NoError(t, err)
	_, err = client.AlarmDisarm(t.Context(), &clientv3.AlarmMember{})
	require.NoError(t, err)
	put(t, s, "vm-0", "new")
	requireWoken(t, changed)
	requireValue(t, again, "vm-0", "new")
}

// large is what a proxy recognises a transaction by; it fits into what HTTP/2 lets pass before the other side says a word.
var large = strings.Repeat("x", 40<<10)

func TestTransactionWithoutAnAnswerIsFoundOut(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	p := startProxy(t, cluster.Members[0].Addr)
	s, other := open(t, p.url("/comet"), etcd.WithTimeout(6*time.Second)), open(t, cluster.URL("/comet"))
	made := watch(t, other)

	// unanswered makes a change that is made and not answered, and sent again after meanwhile was called.
	unanswered := func(c server.Change, meanwhile func()) (results []server.Result, err error) {
		repeated, release := p.holdAnswerTo(20 << 10)
		defer release()
		var wg sync.WaitGroup
		wg.Go(func() { results, err = s.Apply(context.Background(), c) })
		requireWoken(t, made)
		meanwhile()
		<-repeated
		release()
		wg.Wait()
		for len(made) > 0 {
			<-made
		}
		return results, err
	}
	requireUnknown := func(err error) {
		require.ErrorContains(t, err, "the change may or may not have been made: ")
		require.NotContains(t, err.Error(), "xx")
		require.False(t, refused(err))
	}

	results, err := unanswered(write("vm", large), func() {})
	require.NoError(t, err)
	require.Equal(t, []server.Result{{Created: true, Changed: true, Revision: 1}}, results)

	_, err = unanswered(write("vm", large+"2"), func() { put(t, other, "vm", "newer") })
	requireUnknown(err)
	requireValue(t, other, "vm", "newer")

	// What somebody removed does not come back, though the entry is absent as it was when the change was judged.
	remove(t, other, "vm")
	requireWoken(t, made)
	_, err = unanswered(write("vm", large), func() { remove(t, other, "vm") })
	requireUnknown(err)
	_, found, err := other.Read(t.Context(), name, tokens.Read)
	require.NoError(t, err)
	require.False(t, found)
}
