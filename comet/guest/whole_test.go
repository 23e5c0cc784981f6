package guest_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

// whole is a machine of the test's own that is a VM, down to its users and its network.
type whole struct {
	*slice
	own      scope.Tokens // of what is for the VM alone
	userData string       // the file
}

const (
	dataMAC  = "fa:16:3e:00:00:01"
	wholeKey = "vm"
)

func newWhole(t *testing.T) *whole {
	t.Helper()
	needs.Program(t, "useradd", "passwd")
	needs.Program(t, "visudo", "sudo")
	netns.Up(t, "lo")
	netns.Management(t)
	netns.Card(t, "eth1", dataMAC)
	w := &whole{slice: newSlice(t), own: scope.NewTokens(), userData: filepath.Join(t.TempDir(), "user-data")}
	self := w.slice.userData(wholeKey, "vm")
	self.ReadToken = w.own.Read
	text, err := self.INI()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(w.userData, text, 0o600))
	return w
}

// tell says what is wanted of the VM.
func tell[E scope.Element](w *whole, family scope.Family, elements ...E) {
	w.Helper()
	name := scope.MustName("slice", family.String(), wholeKey)
	_, err := w.client.Write(w.Context(), name, w.own, scope.Encode(elements...))
	require.NoError(w, err)
}

// wholeGuest is the guest of the VM with that user data, which looks after these modules.
func wholeGuest(t *testing.T, userData string, modules ...string) *guest.Guest {
	t.Helper()
	self, err := orca.LoadUserData(userData)
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	client, err := guest.Connect(self, "/", comet.WithLogger(log))
	require.NoError(t, err)
	g, err := guest.New(guest.Settings{Root: "/", Only: modules, Every: 10 * time.Millisecond, Retry: time.Millisecond, Logger: log}, guest.Member{Client: client, Self: self})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, g.Close())
		require.NoError(t, client.Close())
	})
	return g
}

// Scripts may need users: they wait for those who cannot be made, but a single pass does not.
func TestScriptsComeBehindUsers(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	w := newWhole(t)
	tell(w, scope.FamilyUsers, scope.User{Login: "alice", Sudo: "no"})
	tell(w, scope.FamilyScripts, scope.Script{Name: "first", Body: scope.Hide("id -un alice >/root/first")})
	const useradd = "/usr/sbin/useradd"
	locked := func() {
		require.NoError(t, os.Rename(useradd, "/root/useradd"))
		frametest.Write(t, useradd, "#!/bin/sh\necho cannot lock /etc/passwd >&2; exit 1\n", 0o755)
	}
	locked()
	g := wholeGuest(t, w.userData, "users", "scripts")
	r := (&machine{T: t, Guest: g}).start()
	r.report(func(report) bool {
		notes := g.Status().Module("scripts").Notes
		return len(notes) > 0 && notes[0].Kind == "waiting"
	})
	assert.Contains(t, g.Status().Module("scripts").Notes[0].Why, "waits for users, which have failed, until 2")
	require.NoError(t, os.Rename("/root/useradd", useradd))
	r.report(func(report) bool { return g.Status().Module("scripts").Count == 1 })
	r.stop()
	assert.Equal(t, "alice\n", frametest.Read(t, "/root/first"))

	locked()
	tell(w, scope.FamilyUsers, scope.User{Login: "bob", Sudo: "no"})
	tell(w, scope.FamilyScripts, scope.Script{Name: "second", Body: scope.Hide("exit 3")})
	g = wholeGuest(t, w.userData, "users", "scripts")
	st, err := g.Once(t.Context())
	assert.Equal(t, guest.StateFailed, st.Module("users").State)
	assert.ErrorContains(t, err, "cannot lock")
	st, _ = g.Once(t.Context())
	assert.Equal(t, guest.StateFailed, st.Module("scripts").State, "it has run")
	assert.Contains(t, st.Module("scripts").Because(), "script second: ended with status 3")
}
