package service_test

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
)

func TestSystemdIsTold(t *testing.T) {
	w := newWorld(t)
	told := systemd(t, "20000")
	s := w.service()
	s.Notify = service.Systemd()
	r := w.start(s)
	hear(t, told, "READY=1")
	hear(t, told, "STATUS=searching: nobody has said yet who the VM is")
	hear(t, told, "WATCHDOG=1") // it is well, though nobody says who the VM is
	w.tell(w.ini(w.self("own")))
	hear(t, told, "STATUS=1 hosts, 0 keys; ")
	hear(t, told, "WATCHDOG=1")
	r.reload <- struct{}{}
	assert.Regexp(t, `^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+$`, hear(t, told, "RELOADING=1"))
	hear(t, told, "READY=1")
	hear(t, told, "WATCHDOG=1")
	r.stop()
	hear(t, told, "STOPPING=1")
	t.Setenv("NOTIFY_SOCKET", "")
	assert.Nil(t, service.Systemd())
}

// Systemd of a container, and of some older machines, listens where no file is. Where it does not watch it is not told all the time.
func TestSystemdIsToldWhereNoFileIs(t *testing.T) {
	told := systemdAt(t, "@comet-guest-"+rand.Text(), "")
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	s := w.service()
	s.Notify = service.Systemd()
	r := w.start(s)
	w.status(knows(1))
	r.stop()
	assert.Equal(t, "READY=1", <-told)
	for message := ""; message != "STOPPING=1"; {
		message = hear(t, told, "")
		assert.NotEqual(t, "WATCHDOG=1", message)
	}
}

func TestWhoTheVMIsMayBeFoundLate(t *testing.T) {
	w := newWorld(t)
	r := w.start(w.service())
	st := w.status(func(st service.Status) bool { return st.State == service.StateSearching })
	assert.Equal(t, os.Getpid(), st.PID)
	assert.Equal(t, "1.2.3", st.Version)
	w.tell(w.ini(w.self("own")))
	st = w.status(knows(1))
	assert.Equal(t, w.cloud.URL+"/latest/user-data", st.Source)
	assert.Contains(t, w.file("etc/hosts"), "10.0.0.2\tpeer\n")
	assert.NotContains(t, w.file("run/status.json"), w.tokens.Read.Reveal())
	r.stop()
	st = w.status(func(st service.Status) bool { return st.State == service.StateStopped })
	assert.Equal(t, 1, st.Module("hosts").Count, "how it left things")
}

// Without a cloud and without heads what was known last holds.
func TestWhatWasFoundLastHolds(t *testing.T) {
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	_, err := w.service().Once(t.Context())
	require.NoError(t, err)
	w.cloud.Close()
	w.heads.Stop(0)
	require.NoError(t, os.Remove(filepath.Join(w.root, "etc/hosts")))
	r := w.start(w.service())
	st := w.status(func(st service.Status) bool { return len(st.Modules) > 0 && st.Module("hosts").Count == 1 })
	assert.Equal(t, service.StateRunning, st.State)
	assert.Contains(t, w.file("etc/hosts"), "10.0.0.2\tpeer\n", "it is put back")
	r.stop()
	self, err := w.service().Self(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "own", self.UserData.HostName)
}

func TestChangedUserDataIsTakenUp(t *testing.T) {
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	r := w.start(w.service())
	w.status(knows(1))
	w.member("renamed")
	w.tell(w.ini(w.self("renamed")))
	r.reload <- struct{}{}
	st := w.status(func(st service.Status) bool {
		return len(st.Contexts) == 1 && st.Contexts[0].Key == "renamed" && knows(2)(st)
	})
	assert.Equal(t, "renamed", st.Instance)
	r.stop()
}

// A guest that is soon to be another VM's hears all the same.
func TestTheGuestHearsWhileItMayNotChangeYet(t *testing.T) {
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	s, log := w.logged()
	r := w.start(s)
	w.status(knows(1))
	w.member("renamed")
	w.tell(w.ini(w.self("renamed")))
	r.reload <- struct{}{}
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "something new of itself") }, waitFor, tick)
	w.set(nil, errors.New("no such setting"))
	r.reload <- struct{}{}
	require.Eventually(t, func() bool { return w.refused.Load() > 0 }, waitFor, tick)
	assert.NotContains(t, log.String(), "this VM is renamed")
	r.stop()
}

// A module that fails is tried again with each pass, and is no news each time.
func TestWhatFailsOnIsNoNews(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	w.set(func(s *settings.Settings) { s.MetricsListen = "127.0.0.1:0" }, nil)
	require.NoError(t, os.MkdirAll(filepath.Join(w.root, "etc/hosts/a-folder"), 0o755))
	told := systemd(t, "")
	s, log := w.logged()
	s.Notify = service.Systemd()
	r := w.start(s)
	for !strings.Contains(hear(t, told, "STATUS="), "hosts failed") {
	}
	url := served(t, log, 1)
	failures := func(more float64) {
		first := -1.0
		require.Eventually(t, func() bool {
			now := parse(t, scrape(t, url))[[3]string{"comet_guest_failures_total", "module", "hosts"}]
			if first < 0 {
				first = now
			}
			return now >= first+more
		}, waitFor, tick)
	}
	failures(5) // by then all else has come to rest
	for len(told) > 0 {
		<-told
	}
	failures(10)
	assert.Less(t, len(told), 5)
	r.stop()
}

// What cannot be used replaces nothing that can, whatever is wrong with it.
func TestUserDataThatCannotBeUsedReplacesNothing(t *testing.T) {
	w := newWorld(t)
	good := w.ini(w.self("own"))
	w.tell(good)
	r := w.start(w.service())
	w.status(knows(1))
	kept := w.file("var/lib/comet-guest/identity")
	require.NotEmpty(t, kept)
	bad := w.self("own")
	bad.CACert = []byte("no certificate")
	w.tell(w.ini(bad))
	r.reload <- struct{}{}
	st := w.status(func(st service.Status) bool { return st.State == service.StateFailed })
	assert.Contains(t, st.Reason, "CA user data (cometcacert)")
	assert.Equal(t, kept, w.file("var/lib/comet-guest/identity"))
	assert.Contains(t, w.file("etc/hosts"), "10.0.0.2\tpeer\n")
	w.tell(good)
	r.reload <- struct{}{}
	w.status(knows(1))
	r.stop()
}

func TestSettingsAreTakenUp(t *testing.T) {
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	r := w.start(w.service())
	w.status(knows(1))
	w.set(nil, errors.New("no such setting"))
	r.reload <- struct{}{}
	require.Eventually(t, func() bool { return w.refused.Load() > 0 }, waitFor, tick)
	w.status(knows(1)) // those of before hold
	w.set(func(s *settings.Settings) { s.Address = publicAddress.String() }, nil)
	r.reload <- struct{}{}
	require.Eventually(t, func() bool { return w.published("own") == publicAddress.String() }, waitFor, tick)
	r.stop()

	w.set(nil, errors.New("no such setting"))
	var input *service.InputError
	require.ErrorAs(t, w.service().Run(t.Context(), nil), &input)
	_, err := w.service().Once(t.Context())
	require.ErrorAs(t, err, &input)
}

func TestOneGuestRunsOnAMachine(t *testing.T) {
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	hangups := catch(t, syscall.SIGHUP) // which the second guest sends to the first: here, to this process
	r := w.start(w.service())
	w.status(knows(1))
	require.ErrorIs(t, w.service().Run(t.Context(), nil), service.ErrRunning)

	second := newWorld(t) // another slice on other heads
	second.peer("far", "10.1.0.2")
	self := second.self("own")
	self.SliceID = w.self("own").SliceID
	given := w.byFlags(self)
	require.NoError(t, given.Run(t.Context(), nil), "it leaves the context to the one that runs")
	hungUp(t, hangups)
	r.reload <- struct{}{}
	st := w.status(func(st service.Status) bool { return len(st.Contexts) == 2 && st.Module("hosts").Count == 2 })
	assert.Equal(t, "own", st.Instance, "the VM's own context comes first")
	assert.Contains(t, w.file("etc/hosts"), "10.1.0.2\tfar\n")
	assert.Contains(t, w.file("etc/hosts"), "10.0.0.2\tpeer\n")
	info, err := os.Stat(filepath.Join(w.root, "var/lib/comet-guest/contexts"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	r.stop()
}
