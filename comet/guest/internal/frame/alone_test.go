package frame_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// planned is a module that plans these steps.
type planned []frame.Step

func (planned) Name() string                               { return "planned" }
func (p planned) Plan(context.Context) (frame.Plan, error) { return frame.Plan{Steps: p}, nil }
func step(text, of string, err error) frame.Step {
	return frame.Step{Text: text, Of: of, Do: func(context.Context) error { return err }}
}

func TestAStepThatStandsAloneStopsNoOther(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	broken := errors.New("broken")
	r := frame.NewRunner(m, 0, 0)
	r.Add(planned{step("a", "a", broken), step("b", "b", nil), step("c", "", broken), step("d", "d", nil)}, frame.On)
	reports, err := r.Apply(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"b"}, reports[0].Done)
	assert.EqualError(t, reports[0].Err, "a: broken\nc: broken")
	var left []string
	for _, s := range reports[0].Plan.Steps {
		left = append(left, s.Text)
	}
	assert.Equal(t, []string{"a", "c", "d"}, left)
	assert.False(t, reports[0].Retry.IsZero())
}

func TestWhatPausesSaysWhyItFailed(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	tried := 0
	r := frame.NewRunner(m, time.Hour, time.Hour)
	r.Add(planned{{Text: "a", Do: func(context.Context) error { tried++; return errors.New("broken") }}}, frame.On)
	for range 2 {
		reports, err := r.Apply(t.Context())
		require.NoError(t, err)
		assert.EqualError(t, reports[0].Err, "a: broken")
		assert.False(t, reports[0].Retry.IsZero())
	}
	assert.Equal(t, 1, tried)
}

// failing is a module that cannot plan before some time.
type failing struct{ until time.Time }

func (failing) Name() string { return "failing" }
func (f failing) Plan(context.Context) (plan frame.Plan, err error) {
	plan.Merge(frame.Plan{Retry: f.until.Add(time.Hour)})
	plan.Merge(frame.Plan{Retry: f.until})
	plan.Merge(frame.Plan{})
	return plan, errors.New("broken")
}

func TestAModuleMayKnowWhenItIsTriedAgain(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	until := time.Now().Add(time.Hour)
	r := frame.NewRunner(m, 0, 0)
	r.Add(failing{until}, frame.On)
	reports, err := r.Apply(t.Context())
	require.NoError(t, err)
	assert.Equal(t, until, reports[0].Retry, "the first of them")
}

func TestSinceWhenAModuleFails(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	broken := errors.New("broken")
	r := frame.NewRunner(m, time.Nanosecond, time.Nanosecond)
	r.Add(planned{{Text: "a", Do: func(context.Context) error { return broken }}}, frame.On)
	pass := func() time.Time {
		_, err := r.Apply(t.Context())
		require.NoError(t, err)
		return r.Failing("planned")
	}
	assert.Zero(t, r.Failing("planned"))
	since := pass()
	assert.NotZero(t, since)
	assert.Equal(t, since, pass())
	broken = nil
	assert.Zero(t, pass())
	broken = frame.ErrNeedsRoot
	assert.Zero(t, pass())
}

func TestOfManyFailuresOnlyTheFirstAreTold(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	var many planned
	for i := range 1000 {
		many = append(many, step("a", fmt.Sprint(i), errors.New("broken")))
	}
	r := frame.NewRunner(m, 0, 0)
	r.Add(many, frame.On)
	reports, err := r.Apply(t.Context())
	require.NoError(t, err)
	assert.ErrorContains(t, reports[0].Err, "and 990 more failed")
	assert.Less(t, len(reports[0].Err.Error()), 1000)
	assert.Len(t, reports[0].Plan.Steps, 1000)
}

// Somebody changes a file while it is written: that is tried again at once. What has failed beside it is not forgotten for that.
func TestWhatFailsBesideAChangedFile(t *testing.T) {
	root := t.TempDir()
	m, err := frame.Open(root, "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	file, tried := filepath.Join(root, "keys"), 0
	r := frame.NewRunner(m, time.Hour, time.Hour)
	r.Add(planning(func() (frame.Plan, error) {
		keys, err := m.Put(frame.File{Name: "keys", Content: []byte("key of bob\n"), Mode: 0o600})
		for i := range keys {
			keys[i].Of = "bob"
		}
		account := frame.Step{Text: "make alice", Of: "alice", Do: func(context.Context) error {
			tried++
			return errors.Join(os.WriteFile(file, []byte("key of carol\n"), 0o600), errors.New("broken"))
		}}
		return frame.Plan{Steps: append([]frame.Step{account}, keys...)}, err
	}), frame.On)
	for range 2 {
		reports, err := r.Apply(t.Context())
		require.NoError(t, err)
		assert.EqualError(t, reports[0].Err, "make alice: broken")
		assert.False(t, reports[0].Retry.IsZero())
		assert.NotZero(t, r.Failing("planning"))
	}
	assert.Equal(t, 1, tried)
	keys, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "key of bob\n", string(keys))
}

// planning is a module that looks anew each time.
type planning func() (frame.Plan, error)

func (planning) Name() string                               { return "planning" }
func (p planning) Plan(context.Context) (frame.Plan, error) { return p() }
