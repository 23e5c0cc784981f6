package controller_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

func TestDeleteRemovesWhatIsThereAndMayBeRepeated(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	client := heads.Client()
	tokens, file := open(t, s)
	c := controller.New(client, both)
	require.NoError(t, created(c.Create(t.Context(), file, s)))
	report(t, heads, s, tokens, s.VMs[1])
	done, err := c.Delete(t.Context(), file)
	require.NoError(t, err)
	assert.Equal(t, controller.Deleted{Removed: 6}, done)
	assert.Empty(t, seen(t, client, s, tokens))
	done, err = c.Delete(t.Context(), file)
	require.NoError(t, err)
	assert.Equal(t, controller.Deleted{}, done, "they are known to have left")
	require.NoError(t, created(c.Create(t.Context(), file, s)))
	assert.Equal(t, noKey, seen(t, client, s, tokens)["pubkeysall/"+s.VMs[1].ReservationID.String()], "created anew")
}

func TestDeleteRemovesWhatEarlierSettingsPutDown(t *testing.T) {
	client, s := comettest.Start(t, 1).Client(), demo(t)
	tokens, file := open(t, s)
	require.NoError(t, created(controller.New(client, both).Create(t.Context(), file, s)))
	require.NoError(t, deleted(controller.New(client, controller.Settings{}).Delete(t.Context(), file)))
	assert.Empty(t, seen(t, client, s, tokens))
}

func TestWithdrawLeavesOtherEntriesAlone(t *testing.T) {
	client, s := comettest.Start(t, 1).Client(), demo(t)
	tokens, file := open(t, s)
	c := controller.New(client, both)
	require.NoError(t, created(c.Create(t.Context(), file, s)))
	other := scope.NewTokens()
	name := scope.Name{Context: s.ID, Family: scope.FamilyUsers, Key: s.VMs[0].ReservationID}
	_, err := client.Write(t.Context(), name, other, []byte(`{"val_":"[]"}`))
	require.NoError(t, err)
	require.NoError(t, deleted(c.Withdraw(t.Context(), file, s.VMs[1].ReservationID, s.VMs[2].ReservationID)))
	assert.Equal(t, map[string]string{
		"hostsall/" + s.VMs[0].ReservationID.String():   noIP("workers-0"),
		"pubkeysall/" + s.VMs[0].ReservationID.String(): noKey,
	}, seen(t, client, s, tokens))
	_, err = client.Read(t.Context(), name, other.Read)
	require.NoError(t, err)
}

// A list that shows nothing, as one from a head that lags behind, is not believed: what the file knows is removed all the same.
func TestDeleteAndWithdrawDoNotBelieveAnEmptyList(t *testing.T) {
	empty := comettest.Answer(200, "application/json", `{"status":"OK","message":"success","value":{"entries":[]},"version":"1.0.5"}`).On("enumerateScope")
	heads, s := comettest.Start(t, 1), parse(t, `{"sliceId":"s","groups":["a","b"],"vms":[{"hostName":"x","reservationId":"r1"},{"hostName":"y","reservationId":"r2"}]}`)
	path := filepath.Join(t.TempDir(), "tokens.json")
	c := controller.New(heads.Client(), both)
	done, err := c.Create(t.Context(), path, s)
	require.NoError(t, err)
	heads.Set(0, empty)
	gone, err := c.Withdraw(t.Context(), path, s.VMs[1].ReservationID)
	require.NoError(t, err)
	assert.Equal(t, controller.Deleted{Removed: 4}, gone)
	gone, err = c.Delete(t.Context(), path)
	require.NoError(t, err)
	assert.Equal(t, controller.Deleted{Removed: 4}, gone)
	heads.Set(0)
	assert.Empty(t, seen(t, heads.Client(), s, done.Tokens))
}

// What has left is not missing, but may leave once more.
func TestWhatHasLeftIsRemembered(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	path := filepath.Join(t.TempDir(), "tokens.json")
	c := controller.New(heads.Client(), both)
	require.NoError(t, created(c.Create(t.Context(), path, s)))
	require.NoError(t, deleted(c.Withdraw(t.Context(), path, s.VMs[1].ReservationID)))
	tokens, err := controller.LoadTokens(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"workers-0", "master"}, hostNames(tokens.VMs))
	assert.Equal(t, []string{"workers-1"}, hostNames(tokens.Withdrawn))
	require.NoError(t, deleted(c.Withdraw(t.Context(), path, s.VMs[1].ReservationID)))
	require.NoError(t, deleted(c.Delete(t.Context(), path)))
	tokens, err = controller.LoadTokens(path)
	require.NoError(t, err)
	assert.Empty(t, tokens.VMs)
	require.NoError(t, created(c.Create(t.Context(), path, s)))
	tokens, err = controller.LoadTokens(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"workers-0", "workers-1", "master"}, hostNames(tokens.VMs))
	assert.Empty(t, tokens.Withdrawn)
}

func hostNames(vms []orca.VM) (names []string) {
	for _, vm := range vms {
		names = append(names, vm.HostName)
	}
	return names
}

func TestHalfDoneDeleteIsFinishedWhenTheHeadIsBack(t *testing.T) {
	heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t) // which takes entries one by one
	tokens, file := open(t, s)
	for k := 1; k < 6; k++ {
		require.NoError(t, created(controller.New(heads.Client(), both).Create(t.Context(), file, s)))
		var deletes atomic.Int32
		client := heads.Client(quick(comet.WithObserver(func(a comet.Attempt) {
			if a.Op == "delete" && a.Class == comet.ClassOK && int(deletes.Add(1)) == k {
				heads.Stop(0)
			}
		}))...)
		c := controller.New(client, oneByOne)
		err := deleted(c.Delete(t.Context(), file))
		require.ErrorIs(t, err, comet.ErrUnavailable)
		assert.ErrorContains(t, err, "pubkeysall/"+s.VMs[2].ReservationID.String(), "what stayed is named")
		heads.Restart(0)
		assert.Len(t, seen(t, heads.Client(), s, tokens), 6-k)
		require.NoError(t, deleted(c.Delete(t.Context(), file)))
		assert.Empty(t, seen(t, heads.Client(), s, tokens))
	}
}

func TestDeleteAsksNoHeadForEachEntryWhereNoneAnswers(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	_, file := open(t, s)
	heads.Stop(0)
	var deletes atomic.Int32
	client := heads.Client(quick(comet.WithObserver(func(a comet.Attempt) {
		if a.Op == "delete" {
			deletes.Add(1)
		}
	}))...)
	require.ErrorIs(t, deleted(controller.New(client, both).Delete(t.Context(), file)), comet.ErrUnavailable)
	assert.Zero(t, deletes.Load())
}

func TestDeleteGoesOnAfterARefusal(t *testing.T) {
	client, s := comettest.Start(t, 1).Client(), demo(t)
	tokens, file := open(t, s)
	c := controller.New(client, both)
	require.NoError(t, created(c.Create(t.Context(), file, s)))
	right := tokens.Write[s.VMs[0].ReservationID]
	tokens.Write[s.VMs[0].ReservationID] = scope.NewToken()
	keep(t, file, tokens)
	err := deleted(c.Delete(t.Context(), file))
	require.ErrorIs(t, err, comet.ErrUnauthorized)
	assert.ErrorContains(t, err, "hostsall/"+s.VMs[0].ReservationID.String())
	assert.Len(t, seen(t, client, s, tokens), 2, "the others are gone")
	tokens.Write[s.VMs[0].ReservationID] = right
	keep(t, file, tokens)
	require.NoError(t, deleted(c.Delete(t.Context(), file)))
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
	gone, err := c.Delete(t.Context(), path)
	require.NoError(t, err)
	assert.Equal(t, controller.Deleted{Removed: 7}, gone)
	assert.Empty(t, seen(t, heads.Client(), s, tokens))
}

func TestDeleteSaysWhatItHasNoTokenFor(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	tokens, file := open(t, s)
	c := controller.New(heads.Client(), both)
	require.NoError(t, created(c.Create(t.Context(), file, s)))
	foreign := scope.Name{Context: s.ID, Family: scope.MustFamily("hostsall"), Key: scope.MustName("s", "f", "stranger").Key}
	pair := scope.Tokens{Read: tokens.Read, Write: scope.NewToken()}
	_, err := heads.Client().Write(t.Context(), foreign, pair, []byte(hisIP))
	require.NoError(t, err)
	done, err := c.Delete(t.Context(), file)
	require.ErrorIs(t, err, comet.ErrNoWriteToken)
	assert.ErrorContains(t, err, "hostsall/stranger")
	assert.Equal(t, controller.Deleted{Removed: 6}, done)
	assert.Len(t, seen(t, heads.Client(), s, tokens), 1)
}

func TestDeleteThatIsInterruptedIsFinishedByTheNext(t *testing.T) {
	heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t)
	_, file := open(t, s)
	for k := 1; k < 6; k++ {
		require.NoError(t, created(controller.New(heads.Client(), both).Create(t.Context(), file, s)))
		ctx, cancel := context.WithCancel(t.Context())
		var deletes atomic.Int32
		client := heads.Client(comet.WithObserver(func(a comet.Attempt) {
			if a.Op == "delete" && a.Class == comet.ClassOK && int(deletes.Add(1)) == k {
				cancel()
			}
		}))
		done, err := controller.New(client, oneByOne).Delete(ctx, file)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, k, done.Removed)
		done, err = controller.New(heads.Client(), both).Delete(t.Context(), file)
		require.NoError(t, err)
		assert.Equal(t, controller.Deleted{Removed: 6 - k, Absent: k}, done)
	}
}

func TestWithdrawKnowsItsVMs(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	tokens, file := open(t, s)
	c := controller.New(heads.Client(), both)
	require.NoError(t, created(c.Create(t.Context(), file, s)))
	stranger := scope.MustName("s", "f", "stranger").Key
	err := deleted(c.Withdraw(t.Context(), file, s.VMs[0].ReservationID, stranger))
	require.ErrorIs(t, err, comet.ErrNoWriteToken)
	assert.ErrorContains(t, err, "VM stranger")
	assert.Len(t, seen(t, heads.Client(), s, tokens), 6, "nothing half done")
	gone, err := c.Withdraw(t.Context(), file, s.VMs[0].ReservationID)
	require.NoError(t, err)
	assert.Equal(t, controller.Deleted{Removed: 2}, gone)
}
