package service_test

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/comet/internal/logtest"
)

// joining is a guest that runs, and a process with flags beside it that waits for heads which are away.
type joining struct {
	*running
	second  *world // the other slice, on other heads
	hangups chan os.Signal
	end     context.CancelFunc
	ended   chan error
}

func newJoining(t *testing.T) *joining {
	t.Helper()
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	j := &joining{running: w.start(w.service()), second: newWorld(t), ended: make(chan error, 1)}
	j.hangups = catch(t, syscall.SIGHUP)
	w.status(knows(1))
	j.second.member("far")
	j.second.heads.Stop(0)
	log := new(logtest.Buffer)
	s := w.service()
	s.Given, s.Log = &identity.Given{UserData: j.second.self("far")}, slog.New(slog.NewTextHandler(log, nil))
	ctx, cancel := context.WithCancel(t.Context())
	j.end = cancel
	go func() { j.ended <- s.Run(ctx, nil) }()
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "is told when a head answers") }, waitFor, tick)
	return j
}

// catch takes the signals that are sent to the guest that runs: here, to this process.
func catch(t *testing.T, which ...os.Signal) chan os.Signal {
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, which...)
	t.Cleanup(func() { signal.Stop(signals) })
	return signals
}

// hungUp waits until a guest is told to look again: here, this process.
func hungUp(t *testing.T, hangups chan os.Signal) {
	t.Helper()
	select {
	case s := <-hangups:
		require.Equal(t, syscall.SIGHUP, s)
	case <-time.After(waitFor):
		require.FailNow(t, "nobody was told anything")
	}
}

// signalled returns the signals that have come and that nobody waits for. They come some time after they were sent, so that it waits for
// one that is sent now.
func signalled(t *testing.T, signals chan os.Signal) (all []os.Signal) {
	t.Helper()
	const last = syscall.SIGVTALRM // which nobody else uses, and which comes after those of a lower number
	signal.Notify(signals, last)
	require.NoError(t, syscall.Kill(os.Getpid(), last))
	for s := range signals {
		if s == last {
			break
		}
		all = append(all, s)
	}
	return all
}

// kept is what is kept of what flags have said.
func (w *world) kept() (names []string) {
	entries, err := os.ReadDir(filepath.Join(w.root, contextsAt))
	if !os.IsNotExist(err) {
		require.NoError(w, err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestFlagsThatHeadsHaveNotProvenAreNotRemembered(t *testing.T) {
	j := newJoining(t)
	j.end() // as Ctrl-C does
	require.NoError(t, <-j.ended)
	assert.Empty(t, j.kept())
	assert.Empty(t, signalled(t, j.hangups))
	j.stop()
}

func TestFlagsCountWhenTheirHeadsAreBack(t *testing.T) {
	j := newJoining(t)
	j.second.heads.Restart(0)
	require.NoError(t, <-j.ended)
	hungUp(t, j.hangups)
	assert.Equal(t, []string{"slice-far"}, j.kept())
	j.end()
	j.stop()
}

// What is left while it is waited for is not taken up afterwards.
func TestAContextIsLeftBeforeItsHeadsAnswer(t *testing.T) {
	j := newJoining(t)
	require.NoError(t, j.service().Leave(t.Context(), false))
	hungUp(t, j.hangups)
	require.NoError(t, <-j.ended)
	j.second.heads.Restart(0)
	assert.Empty(t, j.kept())
	assert.Empty(t, signalled(t, j.hangups))
	j.end()
	j.stop()
}

// Who waits to tell a guest keeps nothing on a machine that has been cleaned, and otherwise leaves the context to the next guest.
func TestTheGuestEndsBeforeItCanBeToldOfAContext(t *testing.T) {
	for name, want := range map[string][]string{"and another may follow": {"slice-far"}, "and the machine is cleaned": nil} {
		t.Run(name, func(t *testing.T) {
			j := newJoining(t)
			j.stop()
			if want == nil {
				_, err := j.service().Clean(t.Context())
				require.NoError(t, err)
			}
			j.second.heads.Restart(0)
			require.NoError(t, <-j.ended)
			assert.Equal(t, want, j.kept())
			assert.Empty(t, signalled(t, j.hangups))
			j.end()
		})
	}
}

// The number of a guest that has ended may be another process's by now: it is this one's here.
func TestNobodyIsSignalledWhereNoGuestRuns(t *testing.T) {
	w := newWorld(t)
	s := w.byFlags(w.self("own"))
	r := w.start(s)
	w.status(knows(1))
	r.stop()
	signals := catch(t, syscall.SIGHUP, syscall.SIGTERM)
	require.NoError(t, w.service().Stop(t.Context()))
	require.NoError(t, w.service().Leave(t.Context(), false))
	assert.Empty(t, signalled(t, signals))
	st, err := service.ReadStatus(w.root, settings.Settings{StatusFile: "/run/status.json"})
	require.NoError(t, err)
	assert.Equal(t, os.Getpid(), st.PID)
}
