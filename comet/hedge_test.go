package comet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
)

func TestALateReadAsksASecondHead(t *testing.T) {
	seen := &attempts{}
	heads, client, first, second := used(t, comet.WithHedge(shortly/10), comet.WithRest(time.Hour, time.Hour), comet.WithObserver(seen.observe))
	heads.Set(first, comettest.Hang().On("readScope"))
	seen.take()
	_, err := client.Read(t.Context(), testName, testTokens.Read)
	require.NoError(t, err)
	assert.LessOrEqual(t, heads.Calls(first, "readScope"), 1) // it may be cancelled on its way
	assert.Equal(t, 1, heads.Calls(second, "readScope"))
	var classes []comet.Class
	for _, a := range seen.take() {
		if a.Op == "read" {
			classes = append(classes, a.Class)
		}
	}
	assert.ElementsMatch(t, []comet.Class{comet.ClassOK, comet.ClassCanceled}, classes, "the loser is cancelled")

	_, err = client.Write(t.Context(), testName, testTokens, testValue)
	require.NoError(t, err)
	assert.Equal(t, 2, heads.Calls(first, "writeScope"), "once late says nothing of a head")
	assert.Zero(t, heads.Calls(second, "writeScope"), "writes are never sent twice at once")
}

// A head that hangs is not asked for ever only because another one answers in its place.
func TestAHeadThatIsAlwaysLateIsLeft(t *testing.T) {
	heads, client, first, _ := used(t, comet.WithHedge(shortly/10), comet.WithRest(time.Hour, time.Hour))
	heads.Set(first, comettest.Hang().On("readScope"))
	for range 20 {
		_, err := client.Read(t.Context(), testName, testTokens.Read)
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, heads.Calls(first, "readScope"), 3)
}

func TestALateHeadWinsWhereTheSecondFails(t *testing.T) {
	heads, client, first, second := used(t, comet.WithHedge(shortly/10))
	heads.Set(first, comettest.Delay(shortly).On("readScope"))
	heads.Set(second, comettest.Status(500).On("readScope"))
	_, err := client.Read(t.Context(), testName, testTokens.Read)
	require.NoError(t, err)
	assert.Equal(t, 1, heads.Calls(first, "readScope"))
	assert.Equal(t, 1, heads.Calls(second, "readScope"))

	heads.Set(first, comettest.Status(500).On("readScope"))
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.ErrorIs(t, err, comet.ErrUnavailable)
	assert.Contains(t, err.Error(), heads.URL(first)+": HTTP 500")
	assert.Contains(t, err.Error(), heads.URL(second)+": HTTP 500")
}

// Both heads answer, one after the other; what the first says counts, whole.
func TestTheLoserOfARaceChangesNothing(t *testing.T) {
	heads, client, first, second := used(t, comet.WithHedge(time.Millisecond))
	heads.Set(first, comettest.Delay(20*time.Millisecond).On("readScope"))
	heads.Set(second, comettest.Empty().On("readScope"))
	for range 50 {
		entry, err := client.Read(t.Context(), testName, testTokens.Read)
		if err == nil {
			assert.Equal(t, string(testValue), string(entry.Value))
			assert.NotEmpty(t, entry.Tag)
		} else {
			assert.ErrorIs(t, err, comet.ErrNotFound)
		}
	}
}
