package controller_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// oneByOne lets a test count what was done, at heads that take no batches.
var oneByOne = controller.Settings{Hosts: true, PubKeys: true, Bulk: comet.Bulk{Parallel: 1}}

// places are the six place-holders in the order in which they are put down.
func places(s orca.Slice) (all []string) {
	for _, vm := range s.VMs {
		all = append(all, "pubkeysall/"+vm.ReservationID.String(), "hostsall/"+vm.ReservationID.String())
	}
	return all
}

// afterWrites returns a client that does something once k writes were answered.
func afterWrites(heads *comettest.Heads, k int, do func()) *comet.Client {
	var writes atomic.Int32
	count := func(a comet.Attempt) {
		if a.Op == "write" && a.Class == comet.ClassOK && int(writes.Add(1)) == k {
			do()
		}
	}
	if k == 0 {
		do()
	}
	return heads.Client(quick(comet.WithObserver(count))...)
}

// A head that goes wrong at any write leaves nothing behind, and what was there before stays.
func TestFailedCreateWithdrawsWhatItCreated(t *testing.T) {
	for name, fault := range map[string]comettest.Fault{
		"hangs":                 comettest.Hang(),
		"hangs when it is done": comettest.HangAfter(),
		"fails":                 comettest.Status(503),
		"fails when it is done": comettest.StatusAfter(500),
		"refuses":               comettest.BadCertificate(),
		"breaks off":            comettest.Cut(10),
		"says nothing":          comettest.Answer(200, "application/json", `{"status":"OK","message":"success","value":{},"version":"1.0.5"}`),
		"resets":                comettest.Reset(),
		"turns into a web page": comettest.Page(200),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t)
			tokens, file := open(t, s)
			before := report(t, heads, s, tokens, s.VMs[1])
			for k := range 4 { // of the six place-holders two are there
				client := afterWrites(heads, k, func() { heads.Set(0, fault.On("writeScope")) })
				err := created(controller.New(client, oneByOne).Create(t.Context(), file, s))
				require.Error(t, err)
				assert.NotContains(t, err.Error(), "withdraw", "everything was")
				all := places(s)
				assert.Contains(t, err.Error(), slices.Concat(all[:2], all[4:])[k])
				assert.Equal(t, before, seen(t, heads.Client(), s, tokens), "%d writes", k)
				heads.Set(0)
			}
			require.NoError(t, created(controller.New(heads.Client(), both).Create(t.Context(), file, s)))
			assert.Len(t, seen(t, heads.Client(), s, tokens), 6)
		})
	}
}

// A head that is gone cannot take anything back; the error says what stays, and a repeat finishes the job.
func TestFailedCreateSaysWhatItCouldNotWithdraw(t *testing.T) {
	heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t)
	tokens, file := open(t, s)
	before := report(t, heads, s, tokens, s.VMs[1])
	for k := range 4 {
		client := afterWrites(heads, k, func() { heads.Stop(0) })
		err := created(controller.New(client, oneByOne).Create(t.Context(), file, s))
		require.ErrorIs(t, err, comet.ErrUnavailable)
		heads.Restart(0)
		left := seen(t, heads.Client(), s, tokens)
		assert.Subset(t, left, before)
		assert.Len(t, left, len(before)+k)
		all := places(s)
		for _, place := range slices.Concat(all[:2], all[4:])[:k] {
			assert.Contains(t, err.Error(), "withdraw what was created")
			assert.Contains(t, err.Error(), place)
		}
		c := controller.New(heads.Client(), both)
		require.NoError(t, created(c.Create(t.Context(), file, s)))
		after := seen(t, heads.Client(), s, tokens)
		assert.Len(t, after, 6)
		assert.Subset(t, after, before)
		require.NoError(t, deleted(c.Delete(t.Context(), file)))
		report(t, heads, s, tokens, s.VMs[1])
	}
}

// The same where all place-holders go in one request.
func TestFailedCreateTogetherWithdrawsWhatItCreated(t *testing.T) {
	for name, fault := range map[string]comettest.Fault{
		"hangs":                 comettest.Hang(),
		"hangs when it is done": comettest.HangAfter(),
		"fails when it is done": comettest.StatusAfter(500),
		"refuses":               comettest.BadCertificate(),
		"breaks off":            comettest.Cut(10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heads, s := comettest.Start(t, 1), demo(t)
			tokens, file := open(t, s)
			before := report(t, heads, s, tokens, s.VMs[1])
			heads.Set(0, fault.On("writeScope", "writeScopes"))
			err := created(controller.New(heads.Client(quick()...), both).Create(t.Context(), file, s))
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "withdraw", "everything was")
			heads.Set(0)
			assert.Equal(t, before, seen(t, heads.Client(), s, tokens))
			done, err := controller.New(heads.Client(), both).Create(t.Context(), file, s)
			require.NoError(t, err)
			assert.Equal(t, [2]int{4, 2}, counts(done))
		})
	}
}

// A second head takes over in the middle.
func TestCreateGoesOnWithAnotherHead(t *testing.T) {
	for k := range 6 {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			heads, s := comettest.Start(t, 2, server.WithoutExtensions()), demo(t)
			tokens, file := open(t, s)
			client := afterWrites(heads, k, func() { heads.Stop(k % 2) })
			require.NoError(t, created(controller.New(client, oneByOne).Create(t.Context(), file, s)))
			assert.Len(t, seen(t, heads.Client(), s, tokens), 6)
		})
	}
}

// A question that was not answered is no entry of ours, however many VMs have filled in theirs.
func TestCreateRemovesNothingWhereItCouldNotLook(t *testing.T) {
	for name, fault := range map[string]comettest.Fault{
		"hangs":      comettest.Hang(),
		"fails":      comettest.Status(500),
		"breaks off": comettest.Cut(-1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heads, s := comettest.Start(t, 1), demo(t)
			tokens, file := open(t, s)
			client := heads.Client(quick()...)
			c := controller.New(client, both)
			require.NoError(t, created(c.Create(t.Context(), file, s)))
			report(t, heads, s, tokens, s.VMs[1])
			before := seen(t, client, s, tokens)
			heads.Set(0, fault.On("enumerateScope"))
			require.Error(t, created(c.Create(t.Context(), file, s)))
			heads.Set(0)
			assert.Equal(t, before, seen(t, client, s, tokens))
		})
	}
}

func TestCreateThatIsEndedWithdrawsWhatItCreated(t *testing.T) {
	heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t)
	tokens, file := open(t, s)
	for k := 1; k < 6; k++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		client := afterWrites(heads, k, cancel)
		err := created(controller.New(client, oneByOne).Create(ctx, file, s))
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorContains(t, err, "what was created is gone again")
		assert.Empty(t, seen(t, heads.Client(), s, tokens), "%d writes", k)
	}
}

func TestCreateThatIsEndedInParallelLeavesNothing(t *testing.T) {
	heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t)
	tokens, file := open(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	client := afterWrites(heads, 2, cancel)
	require.ErrorIs(t, created(controller.New(client, both).Create(ctx, file, s)), context.Canceled)
	assert.Empty(t, seen(t, heads.Client(), s, tokens))
}

// While one puts down or takes back, no other who has the same file believes that what is there will stay.
func TestTheTokenFileIsLockedUntilAllIsTakenBack(t *testing.T) {
	heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t)
	_, file := open(t, s)
	taken := map[string]bool{} // whether the lock was, by operation
	var mu sync.Mutex
	ctx, cancel := context.WithCancel(t.Context())
	client := heads.Client(comet.WithObserver(func(a comet.Attempt) {
		f, err := os.OpenFile(file+".lock", os.O_RDWR, 0)
		if !assert.NoError(t, err) {
			return
		}
		defer f.Close()
		mu.Lock()
		defer mu.Unlock()
		taken[a.Op] = errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
		if a.Op == "write" {
			cancel()
		}
	}))
	require.ErrorIs(t, created(controller.New(client, oneByOne).Create(ctx, file, s)), context.Canceled)
	for _, op := range []string{"list", "write", "delete"} {
		assert.True(t, taken[op], op)
	}
}

// Of a large slice each entry would take its time to say the same.
func TestWithdrawingEndsWhereNoHeadAnswers(t *testing.T) {
	heads := comettest.Start(t, 1, server.WithoutExtensions())
	s := orca.Slice{ID: demo(t).ID, Groups: []string{"all"}}
	for i := range 50 {
		s.VMs = append(s.VMs, orca.VM{HostName: fmt.Sprint("n", i), ReservationID: scope.MustName("s", "f", fmt.Sprint("r", i)).Key})
	}
	_, file := open(t, s)
	var deletes atomic.Int32
	settings := oneByOne
	settings.Withdrawing = func(_, total int) {
		deletes.Add(1)
		assert.Equal(t, 60, total)
	}
	client := afterWrites(heads, 60, func() { heads.Stop(0) })
	err := created(controller.New(client, settings).Create(t.Context(), file, s))
	require.ErrorIs(t, err, comet.ErrUnavailable)
	assert.ErrorContains(t, err, "hostsall/r3 and 52 more")
	assert.Less(t, len(err.Error()), 2000)
	assert.EqualValues(t, 1, deletes.Load())
}
