package am_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// crowd is a slice of n VMs like one of the vectors.
func crowd(t testing.TB, n int) []am.Member {
	t.Helper()
	p := properties(t, "workers-0")
	families, err := am.Generate(p)
	require.NoError(t, err)
	vms := make([]am.Member, n)
	for i := range vms {
		vms[i].Unit.SliceID, err = scope.ParseContextID("6d3de7cc-7188-49b2-af48-f21497450d84")
		require.NoError(t, err)
		vms[i].Unit.ReservationID, err = scope.ParseKey(fmt.Sprintf("%08x-9fb6-4d2e-bae0-b404aa06e36b", i))
		require.NoError(t, err)
		vms[i].Unit.HostName = fmt.Sprintf("workers-%d", i)
		vms[i].Unit.Tokens = scope.NewTokens()
		vms[i].Families = families
	}
	return vms
}

// outcomes counts results, and says the first error.
func outcomes(results []am.Result) (count map[am.Outcome]int, first error) {
	count = map[am.Outcome]int{}
	for _, r := range results {
		if count[r.Outcome]++; first == nil {
			first = r.Err
		}
	}
	return count, first
}

func TestPublishSlice(t *testing.T) {
	bothKinds(t, func(t *testing.T, heads *comettest.Heads) {
		client := heads.Client()
		vms := crowd(t, 21)
		for i := range vms {
			vms[i].Fresh = true
		}
		var steps []int
		count, err := outcomes(am.PublishSlice(t.Context(), client, vms, am.SliceOptions{Progress: func(done, total int) {
			assert.Equal(t, 21, total)
			steps = append(steps, done)
		}}))
		require.NoError(t, err)
		assert.Equal(t, map[am.Outcome]int{am.Written: 21}, count)
		assert.Equal(t, []int{8, 16, 21}, steps)
		assert.Zero(t, heads.Calls(0, "enumerateScope"), "they are new")
		for _, vm := range vms {
			assert.Len(t, seen(t, client, vm.Unit), 5)
		}

		for i := range vms {
			vms[i].Fresh = false
		}
		require.NoError(t, client.Delete(t.Context(), scope.Name{Context: vms[9].Unit.SliceID, Family: scope.FamilyScripts, Key: vms[9].Unit.ReservationID}, vms[9].Unit.Tokens))
		before := heads.Calls(0, "writeScope") + heads.Calls(0, "writeScopes")
		count, err = outcomes(am.PublishSlice(t.Context(), client, vms, am.SliceOptions{}))
		require.NoError(t, err)
		assert.Equal(t, map[am.Outcome]int{am.Written: 1, am.Kept: 20}, count)
		assert.Equal(t, 1, heads.Calls(0, "writeScope")+heads.Calls(0, "writeScopes")-before, "what is missing alone")
		assert.Len(t, seen(t, client, vms[9].Unit), 5)
	})
}

// What another aggregate manager has added is not taken away by a repeat, unless that is asked for.
func TestPublishSliceKeepsWhatOthersAdded(t *testing.T) {
	bothKinds(t, func(t *testing.T, heads *comettest.Heads) {
		client := heads.Client()
		vms := crowd(t, 10)
		_, err := outcomes(am.PublishSlice(t.Context(), client, vms, am.SliceOptions{}))
		require.NoError(t, err)
		_, err = am.Add(t.Context(), client, vms[3].Unit, scope.User{Login: "zoe", Keys: scope.KeyText{keyA}}, 0)
		require.NoError(t, err)
		added := seen(t, client, vms[3].Unit)
		vms[5].Families.Routes = nil
		gone := scope.Name{Context: vms[5].Unit.SliceID, Family: scope.FamilyScripts, Key: vms[5].Unit.ReservationID}
		require.NoError(t, client.Delete(t.Context(), gone, vms[5].Unit.Tokens))

		results := am.PublishSlice(t.Context(), client, vms, am.SliceOptions{})
		count, err := outcomes(results)
		require.NoError(t, err)
		assert.Equal(t, map[am.Outcome]int{am.Kept: 8, am.Differs: 2}, count)
		assert.Equal(t, []scope.Family{scope.FamilyUsers}, results[3].Differ)
		assert.Equal(t, added, seen(t, client, vms[3].Unit))
		assert.Equal(t, []scope.Family{scope.FamilyRoutes}, results[5].Differ)
		assert.Len(t, seen(t, client, vms[5].Unit), 5, "what was missing is there")

		count, err = outcomes(am.PublishSlice(t.Context(), client, vms, am.SliceOptions{Replace: true}))
		require.NoError(t, err)
		assert.Equal(t, map[am.Outcome]int{am.Kept: 8, am.Replaced: 2}, count)
		assert.NotContains(t, seen(t, client, vms[3].Unit)["users"], "zoe")
		assert.JSONEq(t, `{"val_":"[]"}`, seen(t, client, vms[5].Unit)["routes"])
	})
}

func TestOneVMThatIsRefusedStopsNoOther(t *testing.T) {
	bothKinds(t, func(t *testing.T, heads *comettest.Heads) {
		client := heads.Client()
		vms := crowd(t, 10)
		theirs := scope.Tokens{Read: vms[4].Unit.Tokens.Read, Write: scope.NewToken()}
		routes := scope.Name{Context: vms[4].Unit.SliceID, Family: scope.FamilyRoutes, Key: vms[4].Unit.ReservationID}
		require.NoError(t, client.Create(t.Context(), routes, theirs, []byte(`{"val_":"[]"}`)))
		vms[7].Unit.Tokens.Write = scope.Token{}
		results := am.PublishSlice(t.Context(), client, vms, am.SliceOptions{Replace: true})
		count, _ := outcomes(results)
		assert.Equal(t, map[am.Outcome]int{am.Written: 8, am.Failed: 2}, count)
		require.ErrorIs(t, results[4].Err, comet.ErrUnauthorized)
		require.ErrorContains(t, results[4].Err, "publish VM workers-4: ")
		require.ErrorIs(t, results[7].Err, am.ErrIncomplete)
	})
}

// A head may die after any request, heard of or not; a repeat puts down what is missing, and rewrites nothing that stands.
func TestPublishSliceThatBrokeOffIsFinishedByARepeat(t *testing.T) {
	const n = 20
	for name, options := range map[string][]server.Option{"with extensions": nil, "without": {server.WithoutExtensions()}} {
		most := 3
		if options != nil {
			most = 2 * 5
		}
		for k := range most {
			t.Run(fmt.Sprint(name, " after ", k), func(t *testing.T) {
				heads := comettest.Start(t, 1, options...)
				vms := crowd(t, n)
				faults := []comettest.Fault{comettest.Status(500).On("writeScope", "writeScopes")}
				if k > 0 {
					faults = append([]comettest.Fault{comettest.Cut(-1).On("writeScope", "writeScopes").Times(k)}, faults...)
				}
				heads.Set(0, faults...)
				results := am.PublishSlice(t.Context(), heads.Client(quick()...), vms, am.SliceOptions{})
				for _, r := range results {
					require.Equal(t, am.Failed, r.Outcome)
					require.Error(t, r.Err)
				}
				heads.Set(0)
				client := heads.Client()
				whole := 0
				for _, vm := range vms {
					if len(seen(t, client, vm.Unit)) == 5 {
						whole++
					}
				}
				count, err := outcomes(am.PublishSlice(t.Context(), client, vms, am.SliceOptions{}))
				require.NoError(t, err)
				assert.Equal(t, n, count[am.Written]+count[am.Kept])
				assert.GreaterOrEqual(t, count[am.Kept], whole, "a request that nobody waits for any more may arrive late")
				for _, vm := range vms {
					assert.Len(t, seen(t, client, vm.Unit), 5)
				}
			})
		}
	}
}

func TestPublishSliceEndsWithItsContext(t *testing.T) {
	heads := comettest.Start(t, 1)
	heads.Set(0, comettest.Hang().On("writeScopes"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := heads.Client()
	go func() {
		heads.Await(ctx, 0, "writeScopes", 1)
		cancel()
	}()
	for _, r := range am.PublishSlice(ctx, client, crowd(t, 300), am.SliceOptions{}) {
		assert.Equal(t, am.Failed, r.Outcome)
		require.ErrorIs(t, r.Err, context.Canceled)
	}
	assert.Empty(t, am.PublishSlice(t.Context(), client, nil, am.SliceOptions{}))
}
