package router_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/router"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

func TestMain(m *testing.M) { netns.Main(m) }

const forwarding = "/proc/sys/net/ipv4/ip_forward"

func TestForwarding(t *testing.T) {
	netns.New(t)
	m, err := frame.Open("/", "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	for _, c := range []struct {
		wanted, before, after string
		left                  bool
	}{
		{wanted: "true", before: "0", after: "1"},
		{wanted: " TRUE\n", before: "0", after: "1"},
		{wanted: "true", before: "1", after: "1"},
		{wanted: "False", before: "1", after: "0"},
		{wanted: "user", before: "1", after: "1"},
		{wanted: "User", before: "0", after: "0"},
		{wanted: "", before: "1", after: "1"},
		{wanted: "yes; reboot", before: "1", after: "1", left: true},
		{wanted: "1", before: "0", after: "0", left: true},
	} {
		require.NoError(t, os.WriteFile(forwarding, []byte(c.before), 0))
		r := frame.NewRunner(m, 0, 0)
		r.Add(router.New(m, func() string { return c.wanted }), frame.On)
		plan := r.Plan(t.Context())[0]
		require.NoError(t, plan.Err)
		assert.Equal(t, c.before != c.after, len(plan.Plan.Steps) == 1, c.wanted)
		for range 2 {
			reports, err := r.Apply(t.Context())
			require.NoError(t, err)
			require.NoError(t, reports[0].Err)
			assert.Equal(t, c.left, len(reports[0].Plan.Notes) == 1)
			now, err := os.ReadFile(forwarding)
			require.NoError(t, err)
			assert.Equal(t, c.after, strings.TrimSpace(string(now)), c.wanted)
		}
		assert.Empty(t, r.Plan(t.Context())[0].Plan.Steps, "a second pass plans nothing")
	}
}

func TestElsewhereNothingIsTouched(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "vm", nil)
	require.NoError(t, err)
	defer m.Close()
	_, err = router.New(m, func() string { return "true" }).Plan(t.Context())
	require.ErrorIs(t, err, frame.ErrNeedsRoot)
}
