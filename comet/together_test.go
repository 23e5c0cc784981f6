package comet_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// bothWays runs a test against heads with extensions and against heads as deployed.
func bothWays(t *testing.T, test func(t *testing.T, extensions bool, options ...server.Option)) {
	t.Run("ours", func(t *testing.T) { test(t, true) })
	t.Run("deployed", func(t *testing.T) { test(t, false, server.WithoutExtensions()) })
}

func itemsOf(n int) []comet.Item {
	items := make([]comet.Item, n)
	for i := range items {
		items[i] = comet.Item{
			Name:   scope.MustName("s", "hostsall", fmt.Sprintf("vm-%03d", i)),
			Tokens: testTokens,
			Value:  scope.Encode(scope.Host{HostName: fmt.Sprintf("w-%d", i)}),
		}
	}
	return items
}

func countOf(t *testing.T, c *comet.Client) int {
	t.Helper()
	entries, err := c.List(t.Context(), testName.Context, scope.Family{}, testTokens.Read)
	require.NoError(t, err)
	return len(entries)
}

func TestManyGoInFewRequestsWhereHeadsTakeThem(t *testing.T) {
	bothWays(t, func(t *testing.T, extensions bool, options ...server.Option) {
		heads := comettest.Start(t, 1, options...)
		client := heads.Client()
		steps := 0
		require.NoError(t, client.WriteMany(t.Context(), itemsOf(100), comet.Bulk{Progress: func(done, total int) {
			assert.Greater(t, done, steps)
			assert.Equal(t, 100, total)
			steps = done
		}}))
		assert.Equal(t, 100, steps)
		assert.Equal(t, 100, countOf(t, client))
		removed, err := client.DeleteMany(t.Context(), itemsOf(100), comet.Bulk{})
		require.NoError(t, err)
		assert.Equal(t, 100, removed)
		assert.Zero(t, countOf(t, client))
		removed, err = client.DeleteMany(t.Context(), itemsOf(50), comet.Bulk{})
		require.NoError(t, err, "what is gone already")
		assert.Zero(t, removed)
		if extensions {
			assert.Equal(t, 3, heads.Calls(0, "writeScopes"))
			assert.Zero(t, heads.Calls(0, "writeScope"))
			assert.Equal(t, 3+2, heads.Calls(0, "deleteScopes"))
		} else {
			assert.Equal(t, 100, heads.Calls(0, "writeScope"))
			assert.Equal(t, 100+50, heads.Calls(0, "deleteScope"))
		}
	})
}

// What comes of each item is the same whether they go together or one by one.
func TestOneOfManyIsRefused(t *testing.T) {
	bothWays(t, func(t *testing.T, _ bool, options ...server.Option) {
		client := comettest.Start(t, 1, options...).Client()
		items := itemsOf(50)
		require.NoError(t, client.WriteMany(t.Context(), items[7:8], comet.Bulk{}))
		items[7].Tokens.Write = scope.NewToken()
		err := client.WriteMany(t.Context(), items, comet.Bulk{All: true})
		require.ErrorIs(t, err, comet.ErrUnauthorized)
		assert.Contains(t, err.Error(), "write s/hostsall/vm-007")
		assert.NotContains(t, err.Error(), "\n", "one error for one item")
		assert.Equal(t, 50, countOf(t, client), "all others are written")

		removed, err := client.DeleteMany(t.Context(), items, comet.Bulk{All: true})
		require.ErrorIs(t, err, comet.ErrUnauthorized)
		assert.Equal(t, 49, removed)
		assert.Equal(t, 1, countOf(t, client))
	})
}

func TestCreateManyLeavesWhatStands(t *testing.T) {
	bothWays(t, func(t *testing.T, _ bool, options ...server.Option) {
		client := comettest.Start(t, 1, options...).Client()
		items := itemsOf(50)
		stands := items[7]
		stands.Value = []byte(`{"val_":"[7]"}`)
		require.NoError(t, client.WriteMany(t.Context(), []comet.Item{stands}, comet.Bulk{}))
		created, err := client.CreateMany(t.Context(), items, comet.Bulk{})
		require.NoError(t, err)
		assert.Len(t, created, 49)
		entry, err := client.Read(t.Context(), stands.Name, testTokens.Read)
		require.NoError(t, err)
		assert.Equal(t, string(stands.Value), string(entry.Value))
		created, err = client.CreateMany(t.Context(), items, comet.Bulk{})
		require.NoError(t, err)
		assert.Empty(t, created)
	})
}

// Whatever an attempt broke off with, the client finds out what it did.
func TestManyAreSettled(t *testing.T) {
	bothWays(t, func(t *testing.T, _ bool, options ...server.Option) {
		heads := comettest.Start(t, 1, options...)
		client := heads.Client(comet.WithAttemptTimeout(shortly))
		items := itemsOf(5)
		for _, fault := range []comettest.Fault{comettest.StatusAfter(500), comettest.HangAfter(), comettest.Cut(-1), comettest.Cut(5), comettest.Status(500)} {
			heads.Set(0, fault.On("writeScope", "writeScopes", "deleteScope", "deleteScopes").Times(1))
			created, err := client.CreateMany(t.Context(), items, comet.Bulk{})
			require.NoError(t, err)
			assert.Len(t, created, len(items))
			heads.Set(0, fault.On("writeScope", "writeScopes", "deleteScope", "deleteScopes").Times(1))
			_, err = client.DeleteMany(t.Context(), items, comet.Bulk{})
			require.NoError(t, err)
			assert.Zero(t, countOf(t, client))
		}
		heads.Set(0, comettest.StatusAfter(500).On("writeScope", "writeScopes"))
		created, err := client.CreateMany(t.Context(), items, comet.Bulk{All: true})
		require.ErrorIs(t, err, comet.ErrUnavailable)
		assert.Len(t, created, len(items), "for all that is known")
	})
}

// What nobody can tell was created, or may have been, and is the caller's to withdraw.
func TestCreateManyCountsWhatItCannotTell(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client()
	heads.Set(0, comettest.StatusAfter(500).On("writeScopes").Times(1),
		comettest.Answer(400, "application/json", `{"status":"status","message":"no","version":"1"}`).On("readScope").Times(1))
	created, err := client.CreateMany(t.Context(), itemsOf(5), comet.Bulk{})
	require.ErrorIs(t, err, comet.ErrInvalid)
	assert.Len(t, created, 5)

	fresh := heads.Client() // which asks for the version first
	heads.Set(0, comettest.Status(500).On("getVersion"))
	_, err = fresh.Write(t.Context(), testName, testTokens, testValue)
	require.ErrorIs(t, err, comet.ErrUnavailable)
	assert.False(t, comet.MayHaveArrived(err), "it was not sent")
}

// The head that took batches goes away, and the one that is left takes none.
func TestManyGoOneByOneWhereBatchesAreGone(t *testing.T) {
	heads, client, first, second := used(t)
	heads.Set(second, comettest.Status(404).On("getVersion"))
	heads.Stop(first)
	require.NoError(t, client.WriteMany(t.Context(), itemsOf(3), comet.Bulk{}))
	created, err := client.CreateMany(t.Context(), itemsOf(5), comet.Bulk{})
	require.NoError(t, err)
	assert.Len(t, created, 2)
	removed, err := client.DeleteMany(t.Context(), itemsOf(5), comet.Bulk{})
	require.NoError(t, err)
	assert.Equal(t, 5, removed)
	assert.Zero(t, heads.Calls(second, "writeScopes")+heads.Calls(second, "deleteScopes"))
}

func TestTogetherIsAllOrNone(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client()
	items := itemsOf(3)
	require.NoError(t, client.WriteTogether(t.Context(), items[1:2]))
	items[1].Tokens.Write = scope.NewToken()
	err := client.WriteTogether(t.Context(), items)
	require.ErrorIs(t, err, comet.ErrUnauthorized)
	var refused *comet.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, items[1].Name.String(), refused.Entry)
	assert.Equal(t, 1, countOf(t, client))

	require.NoError(t, client.WriteTogether(t.Context(), nil))
	require.NoError(t, client.WriteTogether(t.Context(), itemsOf(40)))
	large := itemsOf(2)
	large[0].Value, large[1].Value = []byte(strings.Repeat("x", 600<<10)), []byte(strings.Repeat("y", 600<<10))
	for _, tooMuch := range [][]comet.Item{itemsOf(41), large} {
		require.ErrorIs(t, client.WriteTogether(t.Context(), tooMuch), comet.ErrNotOffered)
		require.NoError(t, client.WriteMany(t.Context(), tooMuch, comet.Bulk{}))
	}
	foreign := itemsOf(2)
	foreign[1].Name = scope.MustName("another", "hostsall", "vm")
	require.ErrorIs(t, client.WriteTogether(t.Context(), foreign), comet.ErrInvalid)
	require.NoError(t, client.WriteMany(t.Context(), foreign, comet.Bulk{}))
	nameless := append(itemsOf(1), comet.Item{Tokens: testTokens, Value: testValue})
	require.ErrorIs(t, client.WriteTogether(t.Context(), nameless), comet.ErrInvalid)

	deployed := comettest.Start(t, 1, server.WithoutExtensions()).Client()
	require.ErrorIs(t, deployed.WriteTogether(t.Context(), itemsOf(2)), comet.ErrNotOffered)
	assert.Zero(t, countOf(t, deployed))
}

// Heads that are away are no heads that take no batches: who then writes one by one leaves half of it to be seen.
func TestTogetherIsAllOrNoneWhereNoHeadAnsweredAtFirst(t *testing.T) {
	heads := comettest.Start(t, 1)
	silent := comettest.Status(503).On("getVersion")
	heads.Set(0, silent.Times(1))
	require.NoError(t, heads.Client().WriteTogether(t.Context(), itemsOf(2)))
	heads.Set(0, silent.Times(1))
	require.ErrorIs(t, heads.Client().WriteTogether(t.Context(), itemsOf(41)), comet.ErrNotOffered)
	heads.Set(0, silent)
	err := heads.Client().WriteTogether(t.Context(), itemsOf(2))
	require.ErrorIs(t, err, comet.ErrUnavailable)
	require.NotErrorIs(t, err, comet.ErrNotOffered)
}

func TestABatchIsNotRepeatedInErrors(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client()
	require.Equal(t, 0, countOf(t, client))
	heads.Set(0, comettest.Answer(400, "application/json", fmt.Sprintf(`{"status":"status","message":"Entry 1: what is %s and %s","version":"1"}`,
		testTokens.Read.Reveal(), testTokens.Write.Reveal())))
	err := client.WriteTogether(t.Context(), itemsOf(2))
	require.ErrorIs(t, err, comet.ErrInvalid)
	assert.Contains(t, err.Error(), "vm-001")
	for e := err; e != nil; e = errors.Unwrap(e) {
		assert.NotContains(t, e.Error(), "Planted")
	}
}
