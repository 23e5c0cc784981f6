package service_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

const (
	runLock  = "run/comet-guest/run.lock"
	passLock = "var/lib/comet-guest/lock"    // of who makes a pass
	stayLock = "var/lib/comet-guest/.locked" // of who cleans, or keeps that from beginning
)

// passing makes all others on the machine wait with their passes, as a guest does that makes one, until the function it returns is called.
func (w *world) passing() (end func()) {
	w.Helper()
	require.NoError(w, os.MkdirAll(filepath.Dir(filepath.Join(w.root, passLock)), 0o700))
	unlock, err := atomicfile.Lock(w.Context(), filepath.Join(w.root, passLock))
	require.NoError(w, err)
	return func() { require.NoError(w, unlock()) }
}

// waitHeld waits until somebody has a lock for himself.
func (w *world) waitHeld(lock string) {
	w.Helper()
	require.Eventually(w, func() bool {
		f, err := os.Open(filepath.Join(w.root, lock))
		if err != nil {
			return false
		}
		defer f.Close()
		return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
	}, waitFor, tick)
}

// cleaning begins to clean the machine, and keeps that from its end until the function it returns is called.
func (w *world) cleaning() (end func()) {
	w.Helper()
	passed, cleaned := w.passing(), make(chan error, 1)
	go func() {
		_, err := w.service().Clean(w.Context())
		cleaned <- err
	}()
	w.waitHeld(stayLock)
	return func() {
		w.Helper()
		passed()
		require.NoError(w, <-cleaned)
	}
}

// sleeper is a process that is none of ours, whose number a status file may have.
func (w *world) sleeper() (number string, kill func() syscall.Signal) {
	w.Helper()
	c := exec.Command("sleep", "1000")
	require.NoError(w, c.Start())
	return strconv.Itoa(c.Process.Pid), func() syscall.Signal {
		require.NoError(w, c.Process.Kill())
		_ = c.Wait()
		return c.ProcessState.Sys().(syscall.WaitStatus).Signal()
	}
}

// A guest that makes its first pass, after a start of the machine or a crash, is told of contexts as any other is.
func TestAGuestIsToldOfContextsInItsFirstPass(t *testing.T) {
	for name, crashed := range map[string]bool{"after a start of the machine": false, "after a crash": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.tell(w.ini(w.self("own")))
			_, err := w.service().Once(t.Context())
			require.NoError(t, err)
			number, kill := w.sleeper()
			if crashed {
				w.putFile("run/status.json", `{"state": "running", "pid": `+number+`}`)
			}
			passed := w.passing()
			s, log := w.logged()
			r := w.start(s)
			require.Eventually(t, func() bool { return strings.Contains(log.String(), "this VM is own") }, waitFor, tick)
			hangups := catch(t, syscall.SIGHUP)
			st := w.status(func(service.Status) bool { return true })
			assert.Equal(t, service.StateStarting, st.State)
			assert.Equal(t, os.Getpid(), st.PID)

			second := newWorld(t) // another slice on other heads
			second.peer("far", "10.1.0.2")
			byFlags := w.byFlags(second.self("own"))
			require.NoError(t, byFlags.Run(t.Context(), nil))
			hungUp(t, hangups)
			r.reload <- struct{}{}
			passed()
			w.status(func(st service.Status) bool { return len(st.Contexts) == 2 && knows(2)(st) })

			require.NoError(t, w.service().Leave(t.Context(), false))
			hungUp(t, hangups)
			assert.Equal(t, syscall.SIGKILL, kill(), "nobody else is told anything")
			r.stop()
		})
	}
}

// Who cleans is no guest: it is not ended, and nobody leaves it a context, which would be in the image.
func TestWhoCleansIsNoGuest(t *testing.T) {
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	r := w.start(w.service())
	w.status(knows(1))
	r.stop()
	signals := catch(t, syscall.SIGHUP, syscall.SIGTERM)
	cleaned := w.cleaning()
	running, err := w.service().Running()
	require.NoError(t, err)
	assert.False(t, running)
	st, err := service.ReadStatus(w.root, settings.Settings{StatusFile: "/run/status.json"})
	require.NoError(t, err)
	assert.Equal(t, service.StateStopped, st.State)
	ctx, cancel := context.WithTimeout(t.Context(), waitFor)
	defer cancel()
	assert.NoError(t, w.service().Stop(ctx))
	assert.NoError(t, w.service().Leave(t.Context(), false))
	byFlags := w.byFlags(w.self("own"))
	assert.ErrorIs(t, byFlags.Run(t.Context(), nil), guest.ErrCleaning)
	assert.ErrorIs(t, w.service().Run(t.Context(), nil), guest.ErrCleaning)
	_, err = w.service().Clean(t.Context())
	assert.ErrorIs(t, err, guest.ErrCleaning)
	cleaned()
	assert.Empty(t, signalled(t, signals))
	assert.Empty(t, w.kept())
}

// A pass does not wait for a clean: what it is told to keep would be in the image.
func TestNoPassFollowsAClean(t *testing.T) {
	w := newWorld(t)
	byFlags := w.byFlags(w.self("own"))
	cleaned := w.cleaning()
	ctx, cancel := context.WithTimeout(t.Context(), waitFor)
	defer cancel()
	_, err := byFlags.Once(ctx)
	assert.ErrorIs(t, err, guest.ErrCleaning)
	cleaned()
	assert.Empty(t, w.kept())
	assert.Empty(t, w.file("etc/hosts"))
}

// A clean that comes while it is found out who the VM is comes before the pass, of which nothing may be kept afterwards.
func TestNothingIsKeptAfterAClean(t *testing.T) {
	w := newWorld(t)
	s := w.byFlags(w.self("own"))
	asked, answer := make(chan struct{}), make(chan struct{})
	s.Settings = func() (settings.Settings, error) {
		close(asked)
		<-answer
		return w.load()
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.Once(t.Context())
		ended <- err
	}()
	<-asked
	_, err := w.service().Clean(t.Context())
	require.NoError(t, err)
	close(answer)
	require.ErrorIs(t, <-ended, guest.ErrCleaning)
	assert.Empty(t, w.kept())
	assert.Empty(t, w.file("etc/hosts"))
	s.Settings = w.load
	_, err = s.Once(t.Context())
	require.NoError(t, err, "another time")
	assert.NotEmpty(t, w.kept())
}

// A guest that flags have begun stays the same instance, with all that it knows, when another context is named.
func TestWhatFlagsHaveNamedFirstStaysFirst(t *testing.T) {
	w := newWorld(t)
	s := w.byFlags(w.self("own"))
	hangups := catch(t, syscall.SIGHUP)
	r := w.start(s)
	instance := w.status(knows(1)).Instance

	second := newWorld(t)
	second.member("second")
	other := w.byFlags(second.self("second"))
	require.NoError(t, other.Run(t.Context(), nil))
	hungUp(t, hangups)
	r.reload <- struct{}{}
	st := w.status(func(st service.Status) bool { return len(st.Contexts) == 2 && st.State == service.StateRunning })
	assert.Equal(t, instance, st.Instance)
	assert.Equal(t, "own", st.Contexts[0].Key)
	r.stop()
}
