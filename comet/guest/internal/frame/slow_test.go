package frame_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// portal is a slow module, one look at which takes as long as the test wants it to.
type portal struct {
	looks chan chan struct{} // each is closed to let one look end
	steps []frame.Step
	err   error
}

func (*portal) Name() string { return "portal" }
func (*portal) Slow()        {}
func (p *portal) Plan(ctx context.Context) (frame.Plan, error) {
	end := make(chan struct{})
	select {
	case p.looks <- end:
	case <-ctx.Done():
		return frame.Plan{}, ctx.Err()
	}
	select {
	case <-end:
	case <-ctx.Done():
		return frame.Plan{}, ctx.Err()
	}
	steps := p.steps
	p.steps = nil
	return frame.Plan{Steps: steps, Count: 7}, p.err
}

// quick is a module that says how often it was asked.
type quick struct {
	name  string
	looks int
}

func (q *quick) Name() string { return q.name }
func (q *quick) Plan(context.Context) (frame.Plan, error) {
	q.looks++
	return frame.Plan{}, nil
}

func TestASlowModuleKeepsNoOtherWaiting(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	slow := &portal{looks: make(chan chan struct{}), steps: []frame.Step{step("log in", "", nil)}}
	before, behind := &quick{name: "before"}, &quick{name: "behind"}
	r := frame.NewRunner(m, 0, 0)
	r.Add(before, frame.On)
	r.Add(slow, frame.On)
	r.Add(behind, frame.On)
	ctx, cancel := context.WithCancel(t.Context())
	pass := func() []frame.Report {
		reports, err := r.Pass(ctx)
		require.NoError(t, err)
		require.Len(t, reports, 3)
		return reports
	}
	atWork := []frame.Note{{Kind: frame.Waiting, About: "portal", Why: "is at work"}}

	for n := range 3 {
		reports := pass()
		assert.Equal(t, n+1, before.looks)
		assert.Equal(t, atWork, reports[1].Plan.Notes)
		assert.Equal(t, "comes after portal, which is at work", reports[2].Plan.Notes[0].Why)
	}
	assert.Zero(t, behind.looks, "its turn comes after the other's first")
	close(<-slow.looks)
	<-m.Woken()
	reports := pass()
	assert.Equal(t, []string{"log in"}, reports[1].Done)
	assert.Equal(t, 7, reports[1].Plan.Count)
	assert.Equal(t, 1, behind.looks)

	<-m.Woken() // what a pass saw meanwhile is not lost
	reports = pass()
	assert.Equal(t, atWork, reports[1].Plan.Notes)
	assert.Empty(t, reports[1].Done, "it is told once")
	assert.Equal(t, 7, reports[1].Plan.Count)
	assert.Equal(t, 2, behind.looks)

	cancel()
	r.End()
	_, err = r.Pass(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// A lock that cannot be had is an error of its module, and stops no other.
func TestASlowModuleWhoseLockCannotBeHad(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, frame.StateFolder, ".lock-portal"), 0o700))
	m, err := frame.Open(root, "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	behind := &quick{name: "behind"}
	r := frame.NewRunner(m, 0, 0)
	r.Add(&portal{}, frame.On)
	r.Add(behind, frame.On)
	for n, pass := range []func(context.Context) ([]frame.Report, error){r.Apply, r.Pass} {
		reports, err := pass(t.Context())
		require.NoError(t, err)
		require.Len(t, reports, 2)
		assert.Equal(t, "portal", reports[0].Module)
		assert.Equal(t, frame.On, reports[0].Mode)
		assert.ErrorContains(t, reports[0].Err, ".lock-portal")
		assert.NotZero(t, r.Failing("portal"))
		assert.Equal(t, n+1, behind.looks)
	}
}

// While a module is at work again, its error of before is told as such.
func TestASlowModuleThatHasFailedIsAtWorkAgain(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Close()
	slow := &portal{looks: make(chan chan struct{}), err: errors.New("broken")}
	r := frame.NewRunner(m, 0, 0)
	r.Add(slow, frame.On)
	ctx, cancel := context.WithCancel(t.Context())
	defer r.End()
	defer cancel()
	pass := func() frame.Report {
		reports, err := r.Pass(ctx)
		require.NoError(t, err)
		return reports[0]
	}
	assert.True(t, pass().Before)
	close(<-slow.looks)
	<-m.Woken()
	report := pass()
	require.ErrorContains(t, report.Err, "broken")
	assert.False(t, report.Before)
	for range 2 {
		report = pass()
		require.ErrorContains(t, report.Err, "broken")
		assert.True(t, report.Before)
	}
}
