package controller_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

func TestDeleteRemovesWhatIsThereAndMayBeRepeated(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	client, tokens := heads.Client(), open(t, s)
	c := controller.New(client, both)
	require.NoError(t, created(c.Create(t.Context(), s, tokens)))
	report(t, heads, s, tokens, s.VMs[1])
	done, err := c.Delete(t.Context(), s, tokens)
	require.NoError(t, err)
	assert.Equal(t, controller.Deleted{Removed: 6}, done)
	assert.Empty(t, seen(t, client, s, tokens))
	done, err = c.Delete(t.Context(), s, tokens)
	require.NoError(t, err)
	assert.Equal(t, controller.Deleted{Absent: 6}, done, "or not shown by these tokens")
	require.NoError(t, created(c.Create(t.Context(), s, tokens)))
	assert.Equal(t, noKey, seen(t, client, s, tokens)["pubkeysall/"+s.VMs[1].ReservationID.String()], "created anew")
}

func TestDeleteRemovesWhatEarlierSettingsPutDown(t *testing.T) {
	client, s := comettest.Start(t, 1).Client(), demo(t)
	tokens := open(t, s)
	require.NoError(t, created(controller.New(client, both).Create(t.Context(), s, tokens)))
	require.NoError(t, deleted(controller.New(client, controller.Settings{}).Delete(t.Context(), s, tokens)))
	assert.Empty(t, seen(t, client, s, tokens))
}

func TestWithdrawLeavesOtherEntriesAlone(t *testing.T) {
	client, s := comettest.Start(t, 1).Client(), demo(t)
	tokens := open(t, s)
	c := controller.New(client, both)
	require.NoError(t, created(c.Create(t.Context(), s, tokens)))
	other := scope.NewTokens()
	name := scope.Name{Context: s.ID, Family: scope.FamilyUsers, Key: s.VMs[0].ReservationID}
	_, err := client.Write(t.Context(), name, other, []byte(`{"val_":"[]"}`))
	require.NoError(t, err)
	require.NoError(t, deleted(c.Withdraw(t.Context(), s, tokens, s.VMs[1].ReservationID, s.VMs[2].ReservationID)))
	assert.Equal(t, map[string]string{
		"hostsall/" + s.VMs[0].ReservationID.String():   noIP("workers-0"),
		"pubkeysall/" + s.VMs[0].ReservationID.String(): noKey,
	}, seen(t, client, s, tokens))
	_, err = client.Read(t.Context(), name, other.Read)
	require.NoError(t, err)
}

// A VM that was added to the slice file and never created has no token, and nothing to delete.
func TestDeleteGoesAheadWithoutVMsThatWereNeverCreated(t *testing.T) {
	client, s := comettest.Start(t, 1).Client(), demo(t)
	first := s
	first.VMs = s.VMs[:2]
	tokens := open(t, first)
	c := controller.New(client, both)
	require.NoError(t, created(c.Create(t.Context(), first, tokens)))
	require.NoError(t, deleted(c.Delete(t.Context(), s, tokens)))
	assert.Empty(t, seen(t, client, s, tokens))
}

func TestHalfDoneDeleteIsFinishedWhenTheHeadIsBack(t *testing.T) {
	heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t) // which takes entries one by one
	tokens := open(t, s)
	for k := 1; k < 6; k++ {
		require.NoError(t, created(controller.New(heads.Client(), both).Create(t.Context(), s, tokens)))
		var deletes atomic.Int32
		client := heads.Client(quick(comet.WithObserver(func(a comet.Attempt) {
			if a.Op == "delete" && a.Class == comet.ClassOK && int(deletes.Add(1)) == k {
				heads.Stop(0)
			}
		}))...)
		c := controller.New(client, oneByOne)
		err := deleted(c.Delete(t.Context(), s, tokens))
		require.ErrorIs(t, err, comet.ErrUnavailable)
		assert.ErrorContains(t, err, "hostsall/"+s.VMs[2].ReservationID.String(), "what stayed is named")
		heads.Restart(0)
		assert.Len(t, seen(t, heads.Client(), s, tokens), 6-k)
		require.NoError(t, deleted(c.Delete(t.Context(), s, tokens)))
		assert.Empty(t, seen(t, heads.Client(), s, tokens))
	}
}

func TestDeleteGoesOnAfterARefusal(t *testing.T) {
	client, s := comettest.Start(t, 1).Client(), demo(t)
	tokens := open(t, s)
	c := controller.New(client, both)
	require.NoError(t, created(c.Create(t.Context(), s, tokens)))
	right := tokens.Write[s.VMs[0].ReservationID]
	tokens.Write[s.VMs[0].ReservationID] = scope.NewToken()
	err := deleted(c.Delete(t.Context(), s, tokens))
	require.ErrorIs(t, err, comet.ErrUnauthorized)
	assert.ErrorContains(t, err, "hostsall/"+s.VMs[0].ReservationID.String())
	assert.Len(t, seen(t, client, s, tokens), 2, "the others are gone")
	tokens.Write[s.VMs[0].ReservationID] = right
	require.NoError(t, deleted(c.Delete(t.Context(), s, tokens)))
	assert.Empty(t, seen(t, client, s, tokens))
}

// VMs that came by an extend are not in the slice file that there was first; other programs of a VM have their families.
func TestDeleteTakesAllThatTheTokensKnow(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	tokens, path := standing(t, heads, s)
	c := controller.New(heads.Client(), both)
	done, err := c.Extend(t.Context(), path, s, scope.Token{})
	require.NoError(t, err)
	name := scope.Name{Context: s.ID, Family: scope.MustFamily("tokensall"), Key: s.VMs[1].ReservationID}
	_, err = heads.Client().Write(t.Context(), name, done.Tokens.Of(name.Key), []byte(`{"kubeToken":"x"}`))
	require.NoError(t, err)
	first := s
	first.VMs = s.VMs[:1]
	gone, err := c.Delete(t.Context(), first, done.Tokens)
	require.NoError(t, err)
	assert.Equal(t, controller.Deleted{Removed: 7}, gone)
	assert.Empty(t, seen(t, heads.Client(), s, tokens))
}

func TestDeleteSaysWhatItHasNoTokenFor(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	tokens := open(t, s)
	c := controller.New(heads.Client(), both)
	require.NoError(t, created(c.Create(t.Context(), s, tokens)))
	foreign := scope.Name{Context: s.ID, Family: scope.MustFamily("hostsall"), Key: scope.MustName("s", "f", "stranger").Key}
	pair := scope.Tokens{Read: tokens.Read, Write: scope.NewToken()}
	_, err := heads.Client().Write(t.Context(), foreign, pair, []byte(hisIP))
	require.NoError(t, err)
	done, err := c.Delete(t.Context(), s, tokens)
	require.ErrorIs(t, err, comet.ErrNoWriteToken)
	assert.ErrorContains(t, err, "hostsall/stranger")
	assert.Equal(t, controller.Deleted{Removed: 6}, done)
	assert.Len(t, seen(t, heads.Client(), s, tokens), 1)
}

func TestDeleteThatIsInterruptedIsFinishedByTheNext(t *testing.T) {
	heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t)
	tokens := open(t, s)
	for k := 1; k < 6; k++ {
		require.NoError(t, created(controller.New(heads.Client(), both).Create(t.Context(), s, tokens)))
		ctx, cancel := context.WithCancel(t.Context())
		var deletes atomic.Int32
		client := heads.Client(comet.WithObserver(func(a comet.Attempt) {
			if a.Op == "delete" && a.Class == comet.ClassOK && int(deletes.Add(1)) == k {
				cancel()
			}
		}))
		done, err := controller.New(client, oneByOne).Delete(ctx, s, tokens)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, k, done.Removed)
		done, err = controller.New(heads.Client(), both).Delete(t.Context(), s, tokens)
		require.NoError(t, err)
		assert.Equal(t, controller.Deleted{Removed: 6 - k, Absent: k}, done)
	}
}

func TestWithdrawKnowsItsVMs(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	tokens := open(t, s)
	c := controller.New(heads.Client(), both)
	require.NoError(t, created(c.Create(t.Context(), s, tokens)))
	stranger := scope.MustName("s", "f", "stranger").Key
	err := deleted(c.Withdraw(t.Context(), s, tokens, s.VMs[0].ReservationID, stranger))
	require.ErrorIs(t, err, comet.ErrNoWriteToken)
	assert.ErrorContains(t, err, "VM stranger")
	assert.Len(t, seen(t, heads.Client(), s, tokens), 6, "nothing half done")
	fewer := s
	fewer.VMs = s.VMs[1:]
	gone, err := c.Withdraw(t.Context(), fewer, tokens, s.VMs[0].ReservationID)
	require.NoError(t, err)
	assert.Equal(t, controller.Deleted{Removed: 2}, gone, "of a VM that has left the slice file as well")
}
