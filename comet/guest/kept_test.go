package guest_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/guest"
)

// kept are the files in which it is kept what is known of contexts.
func (m *machine) kept() []string {
	m.Helper()
	files, err := filepath.Glob(filepath.Join(m.root, "var/lib/comet-guest/*/known/*.json"))
	require.NoError(m, err)
	return files
}

func TestWhatCannotBeKeptIsTriedAgain(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	m.write("var/lib/comet-guest/own/known", "no folder")
	m.pass()
	assert.Equal(t, hostsBlock("10.0.0.2\ta"), m.file(hosts), "nothing else depends on it")
	assert.Contains(t, m.log.String(), "level=WARN msg=\"what is known is not kept: ")
	require.NoError(t, os.Remove(filepath.Join(m.root, "var/lib/comet-guest/own/known")))
	assert.Empty(t, m.pass().Changed)
	assert.Len(t, m.kept(), 1, "though there is nothing new")
}

func TestAGuestThatCannotKeepAnythingEndsWell(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	m.write("var/lib/comet-guest/own/known", "no folder")
	r := m.start()
	r.until(1)
	r.stop()
}

// What a context that the VM is no longer in has brought goes: its lines, and what is kept of it, with the secrets in it.
func TestContextsThatWentAwayAreLeft(t *testing.T) {
	one, two := newSlice(t), newSlice(t)
	one.placeHolders("own", "own", "all")
	two.placeHolders("second", "own", "all")
	one.peer("1", "a", "10.0.0.2", "all")
	two.peer("1", "b", "10.1.0.2", "all")
	m := &machine{T: t, root: t.TempDir()}
	first := guest.Member{Client: one.client, Self: one.userData("own", "own", "all")}
	pass := func(members ...guest.Member) {
		g, err := guest.New(guest.Settings{Root: m.root, Logger: slog.New(slog.DiscardHandler), Every: 1, Modules: map[string]guest.Mode{"hostname": guest.Off}}, members...)
		require.NoError(t, err)
		defer g.Close()
		for range 2 { // only a second answer tells that what is missing is gone
			_, err = g.Once(t.Context())
			require.NoError(t, err)
		}
	}
	pass(first, guest.Member{Client: two.client, Self: two.userData("second", "own", "all")})
	require.Equal(t, hostsBlock("10.0.0.2\ta", "10.1.0.2\tb"), m.file(hosts))
	require.Len(t, m.kept(), 2)
	pass(first)
	assert.Equal(t, hostsBlock("10.0.0.2\ta"), m.file(hosts))
	assert.Len(t, m.kept(), 1)
}

// A machine that is another VM than it was, in no slice's group, takes back what it had as the other: keys of strangers above all.
func TestAMachineThatWasAnotherVM(t *testing.T) {
	s := newSlice(t)
	before := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	before.pass()
	require.NotEmpty(t, before.file(keys))
	now := s.userData("another", "another")
	now.ReadToken = s.read
	m := s.boot(now, before.root)
	m.pass()
	assert.Empty(t, m.file(hosts))
	assert.Empty(t, m.file(keys))
}

// The log of a start tells what is done and what is wrong. That heads have not answered yet is neither.
func TestTheLogOfAStart(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	r := m.start()
	r.until(1)
	r.stop()
	assert.NotContains(t, m.log.String(), "level=WARN")
	assert.NotContains(t, m.log.String(), "told anything")
	assert.Contains(t, m.log.String(), `msg="write /etc/hosts" module=hosts`)

	s.heads.Set(0, comettest.Status(500))
	m = s.boot(s.userData("own", "own", "all"), "")
	r = m.start()
	require.Eventually(t, func() bool {
		st := m.Status()
		return st.Contexts[0].Error != "" && st.Module("hosts").State == guest.StatePending
	}, time.Minute, 10*time.Millisecond, "%+v", m.Status())
	assert.Equal(t, []guest.Note{{Kind: "waiting", About: "hostsall", Why: "no head has told anything yet"}}, m.Status().Module("hosts").Notes)
	s.heads.Set(0)
	r.until(1)
	r.stop()
	assert.NotContains(t, m.log.String(), "told anything")
	assert.Equal(t, 1, strings.Count(m.log.String(), "no head tells of the slice"), "%s", m.log)
	assert.Contains(t, m.log.String(), `level=INFO msg="a head tells of the slice again" context=slice`)
}

// What is left out names its module once.
func TestALogLineNamesItsModuleOnce(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	s.peer("1", "localhost", "10.0.0.2", "all")
	s.peer("2", "a", "10.0.0.3", "all")
	r := m.start()
	r.report(func(report report) bool { return report.Lines == 1 })
	r.stop()
	assert.Contains(t, m.log.String(), `level=WARN msg="left out: hostName is reserved for the machine itself" module=hosts about="peer 1 in hostsall"`)
}

// No other VM has this one's name, with its domain or without.
func TestTheOwnShortNameIsNoPeers(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "Own.slice.example", "all")
	m := s.boot(s.userData("own", "Own.slice.example", "all"), "")
	s.peer("1", "own", "10.0.0.2", "all")
	s.peer("2", "own.slice.example", "10.0.0.3", "all")
	s.peer("3", "other", "10.0.0.4", "all")
	m.pass()
	assert.Equal(t, hostsBlock("10.0.0.4\tother"), m.file(hosts))
	assert.ElementsMatch(t, []string{"peer 1 in hostsall: hostName is that of this VM", "peer 2 in hostsall: hostName is that of this VM"}, m.warnings())

	s = newSlice(t) // the domain is a setting
	s.placeHolders("own", "own", "all")
	s.peer("1", "own.slice.example", "10.0.0.2", "all")
	s.peer("2", "other.slice.example", "10.0.0.3", "all")
	g, err := guest.New(guest.Settings{Root: m.root, Instance: "second", Domain: "slice.example", Logger: slog.New(slog.DiscardHandler)},
		guest.Member{Client: s.client, Self: s.userData("own", "own", "all")})
	require.NoError(t, err)
	defer g.Close()
	told, err := g.Told(t.Context())
	require.NoError(t, err)
	require.Len(t, told.Hosts, 1)
	assert.Equal(t, "other.slice.example", told.Hosts[0].HostName)
}

// Links lead nowhere out of the root, not for what the guest keeps for itself either.
func TestTheGuestsOwnFilesStayBelowTheRoot(t *testing.T) {
	for _, link := range []string{"var/lib/comet-guest/lock", "var/lib/comet-guest/own", "var/lib/comet-guest", "var/lib"} {
		t.Run(link, func(t *testing.T) {
			s := newSlice(t)
			m := s.vm()
			outside := t.TempDir()
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(m.root, link)), 0o700))
			require.NoError(t, os.Symlink(filepath.Join(outside, "made"), filepath.Join(m.root, link)))
			_, _ = m.once() // which may fail
			left, err := os.ReadDir(outside)
			require.NoError(t, err)
			assert.Empty(t, left)
			require.NoError(t, os.Mkdir(filepath.Join(outside, "made"), 0o700))
			_, _ = m.once()
			left, err = os.ReadDir(filepath.Join(outside, "made"))
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

// While a guest makes a pass nothing is cleaned under it.
func TestCleaningWaitsForAPass(t *testing.T) {
	for _, name := range []string{"lock", ".lock-storage"} {
		t.Run(name, func(t *testing.T) { cleaningWaits(t, name) })
	}
}

// flock takes the lock of a file of the state, as another guest would.
func flock(m *machine, name string) (unlock func()) {
	m.Helper()
	lock, err := os.OpenFile(filepath.Join(m.root, "var/lib/comet-guest", name), os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(m, err)
	m.Cleanup(func() { _ = lock.Close() })
	require.NoError(m, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	return func() { require.NoError(m, lock.Close()) }
}

func cleaningWaits(t *testing.T, name string) {
	s := newSlice(t)
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	m.pass()
	unlock := flock(m, name)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := guest.Clean(ctx, m.root, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.NotEmpty(t, m.file(hosts))
	unlock()
	_, err = guest.Clean(t.Context(), m.root, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.Empty(t, m.file(hosts))
}
