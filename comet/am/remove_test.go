package am_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

func TestRemoveTakesAwayOneVMsEntriesAlone(t *testing.T) {
	client := comettest.Start(t, 1).Client()
	leaving, families := load(t, "workers-0")
	staying, others := load(t, "workers-1")
	require.NoError(t, am.Publish(t.Context(), client, leaving, families))
	require.NoError(t, am.Publish(t.Context(), client, staying, others))
	slice := scope.NewTokens()
	hosts := scope.Name{Context: leaving.SliceID, Family: scope.MustFamily("hostsall"), Key: leaving.ReservationID}
	require.NoError(t, client.Create(t.Context(), hosts, slice, []byte(`{"val_":"[]"}`)))
	before := seen(t, client, staying)

	require.NoError(t, removed(am.Remove(t.Context(), client, leaving)))
	assert.Empty(t, seen(t, client, leaving))
	assert.Equal(t, before, seen(t, client, staying))
	_, err := client.Read(t.Context(), hosts, slice.Read)
	require.NoError(t, err)
	require.NoError(t, removed(am.Remove(t.Context(), client, leaving)), "once more")
}

func TestRemoveGoesOnAndSaysWhatStayed(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client(quick()...)
	unit, families := load(t, "master")
	require.NoError(t, am.Publish(t.Context(), client, unit, families))
	locked := scope.Name{Context: unit.SliceID, Family: scope.FamilyRoutes, Key: unit.ReservationID}
	require.NoError(t, client.Delete(t.Context(), locked, unit.Tokens))
	theirs := scope.Tokens{Read: unit.Tokens.Read, Write: scope.NewToken()}
	require.NoError(t, client.Create(t.Context(), locked, theirs, []byte(`{"val_":"[]"}`)))

	n, err := am.Remove(t.Context(), client, unit)
	assert.Equal(t, 4, n)
	require.ErrorIs(t, err, comet.ErrUnauthorized)
	assert.ErrorContains(t, err, "/routes/")
	assert.Equal(t, map[string]string{"routes": `{"val_":"[]"}`}, seen(t, client, unit))

	heads.Stop(0)
	_, err = am.Remove(t.Context(), client, unit)
	require.ErrorIs(t, err, comet.ErrUnavailable)
}

// place puts a VM into families of its slice.
func place(t *testing.T, client *comet.Client, unit orca.Unit, families ...string) {
	t.Helper()
	for _, f := range families {
		name := scope.Name{Context: unit.SliceID, Family: scope.MustFamily(f), Key: unit.ReservationID}
		require.NoError(t, client.Create(t.Context(), name, unit.Slice.Tokens, []byte(`{"val_":"[]"}`)))
	}
}

// inSlice returns what the slice's read token shows, as FAMILY/KEY.
func inSlice(t *testing.T, client *comet.Client, unit orca.Unit) (all []string) {
	t.Helper()
	entries, err := client.List(t.Context(), unit.SliceID, scope.Family{}, unit.Slice.Tokens.Read)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name.Family.String()+"/"+e.Name.Key.String())
	}
	return all
}

func TestRemoveFromSliceTakesAwayOneVMsPlaceAlone(t *testing.T) {
	bothKinds(t, func(t *testing.T, heads *comettest.Heads) {
		client := heads.Client()
		leaving, families := load(t, "workers-0")
		staying, _ := load(t, "workers-1")
		leaving.Slice.Tokens = scope.NewTokens()
		staying.Slice.Tokens = scope.Tokens{Read: leaving.Slice.Tokens.Read, Write: scope.NewToken()}
		require.NoError(t, am.Publish(t.Context(), client, leaving, families))
		place(t, client, leaving, "hostsall", "pubkeysall", "hostsb", "tokensall", "scripts")
		place(t, client, staying, "hostsall", "pubkeysall")

		n, err := am.RemoveFromSlice(t.Context(), client, leaving)
		require.NoError(t, err)
		assert.Equal(t, 5, n)
		assert.Len(t, seen(t, client, leaving), 5, "the VM's own")
		key := staying.ReservationID.String()
		assert.ElementsMatch(t, []string{"hostsall/" + key, "pubkeysall/" + key}, inSlice(t, client, staying))
		n, err = am.RemoveFromSlice(t.Context(), client, leaving)
		require.NoError(t, err, "once more")
		assert.Zero(t, n)

		theirs := leaving
		theirs.ReservationID = staying.ReservationID
		_, err = am.RemoveFromSlice(t.Context(), client, theirs)
		require.ErrorIs(t, err, comet.ErrUnauthorized)
		assert.Len(t, inSlice(t, client, staying), 2)
	})
}

// A head that says that nothing is there is not believed.
func TestRemoveDoesNotBelieveAnEmptyList(t *testing.T) {
	heads := comettest.Start(t, 1, server.WithoutExtensions())
	client := heads.Client()
	unit, families := load(t, "workers-0")
	unit.Slice = orca.SliceAccess{Tokens: scope.NewTokens(), HostsWrite: []string{"b"}}
	require.NoError(t, am.Publish(t.Context(), client, unit, families))
	place(t, client, unit, "hostsb", "pubkeysall")
	heads.Set(0, comettest.Empty().On("enumerateScope"))
	require.NoError(t, removed(am.Remove(t.Context(), client, unit)))
	require.NoError(t, removed(am.RemoveFromSlice(t.Context(), client, unit)))
	heads.Set(0)
	assert.Empty(t, seen(t, client, unit))
	assert.Empty(t, inSlice(t, client, unit))
}

// A head may die after any of the removals, and without a word; a repeat removes the rest.
func TestRemoveThatBrokeOffIsFinishedByARepeat(t *testing.T) {
	for k := range 5 {
		heads := comettest.Start(t, 1, server.WithoutExtensions())
		unit, families := load(t, "workers-0")
		require.NoError(t, am.Publish(t.Context(), heads.Client(), unit, families))
		faults := []comettest.Fault{comettest.Status(500).On("deleteScope")}
		if k > 0 {
			faults = append([]comettest.Fault{comettest.Cut(-1).On("deleteScope").Times(k)}, faults...)
		}
		heads.Set(0, faults...)
		n, err := am.Remove(t.Context(), heads.Client(quick()...), unit)
		require.ErrorIs(t, err, comet.ErrUnavailable)
		assert.Less(t, n, 5)
		heads.Set(0)
		assert.GreaterOrEqual(t, len(seen(t, heads.Client(), unit)), 5-k)
		require.NoError(t, removed(am.Remove(t.Context(), heads.Client(), unit)))
		assert.Empty(t, seen(t, heads.Client(), unit))
	}
}

func TestRemoveFromSliceNeedsTheSlicesTokens(t *testing.T) {
	heads := comettest.Start(t, 1)
	unit, _ := load(t, "master")
	for _, tokens := range []scope.Tokens{{}, {Read: scope.NewToken()}, {Write: scope.NewToken()}} {
		unit.Slice.Tokens = tokens
		_, err := am.RemoveFromSlice(t.Context(), heads.Client(), unit)
		require.ErrorIs(t, err, am.ErrIncomplete)
	}
	assert.Zero(t, heads.Calls(0, ""))
}

// removed is for tests that do not count what was removed.
func removed(_ int, err error) error { return err }
