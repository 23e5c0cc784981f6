package service_test

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/comet/internal/logtest"
	"github.com/renci-nrig/comet-go/scope"
)

// putFile writes a file of the machine.
func (w *world) putFile(name, content string) {
	w.Helper()
	file := filepath.Join(w.root, name)
	require.NoError(w, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(w, os.WriteFile(file, []byte(content), 0o600))
}

const (
	productUUID = "sys/class/dmi/id/product_uuid"
	identityAt  = "var/lib/comet-guest/identity"
	contextsAt  = "var/lib/comet-guest/contexts"
)

// A VM that is made from the image of another, which nobody cleaned, does not act as that one while nobody says who it is.
func TestACopyOfAMachineDoesNotActAsTheOriginal(t *testing.T) {
	w := newWorld(t)
	w.putFile(productUUID, "one\n")
	w.tell(w.ini(w.self("own")))
	_, err := w.service().Once(t.Context())
	require.NoError(t, err)
	byFlags := w.service()
	other := w.self("second")
	byFlags.Given = &identity.Given{UserData: other}
	w.member("second")
	_, err = byFlags.Once(t.Context())
	require.NoError(t, err)
	w.tell("")
	self, err := w.service().Self(t.Context())
	require.NoError(t, err)
	require.Equal(t, "own", self.UserData.HostName, "the machine itself goes by what was kept")

	w.putFile(productUUID, "two\n")
	require.NoError(t, os.Remove(filepath.Join(w.root, "etc/hosts")))
	var none *identity.NotFoundError
	_, err = w.service().Once(t.Context())
	require.ErrorAs(t, err, &none)
	r := w.start(w.service())
	w.status(func(st service.Status) bool { return st.State == service.StateSearching })
	assert.Empty(t, w.file("etc/hosts"))
	w.member("copy")
	w.tell(w.ini(w.self("copy")))
	st := w.status(knows(2))
	r.stop()
	require.Len(t, st.Contexts, 1, "nor in the context that flags have named on the original")
	assert.Equal(t, "copy", st.Contexts[0].Key)
	w.tell("")
	self, err = w.service().Self(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "copy", self.UserData.HostName)
}

// Nothing of a machine is another after a plan, and nothing is there that was not there.
func TestAPlanWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	tree := func() map[string]string {
		all := map[string]string{}
		require.NoError(t, fs.WalkDir(os.DirFS(w.root), ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			all[path] = info.Mode().String() + info.ModTime().String()
			return err
		}))
		return all
	}
	before := tree()
	st, err := w.service().Plan(t.Context())
	require.NoError(t, err)
	assert.True(t, st.Changes())
	byFlags := w.byFlags(w.self("own"))
	_, err = byFlags.Plan(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before, tree())
}

func TestWhatCannotBeKeptEndsNothing(t *testing.T) {
	w := newWorld(t)
	log := new(logtest.Buffer)
	w.tell(w.ini(w.self("own")))
	require.NoError(t, os.MkdirAll(filepath.Join(w.root, identityAt), 0o700)) // a folder where a file belongs
	s := w.service()
	s.Log = slog.New(slog.NewTextHandler(log, nil))
	_, err := s.Once(t.Context())
	require.NoError(t, err)
	assert.Contains(t, w.file("etc/hosts"), "10.0.0.2\tpeer\n")
	assert.Contains(t, log.String(), "level=WARN msg=\"at a start at which nobody says who the VM is, nobody will know\"")
	r := w.start(w.service())
	w.status(knows(1))
	r.stop()
}

// What was not written is written as soon as it can be, though nothing is new.
func TestStatusThatCouldNotBeWrittenIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	w.set(func(s *settings.Settings) { s.MetricsFile = "/metrics/comet.prom" }, nil)
	w.putFile("metrics", "no folder")
	r := w.start(w.service())
	w.status(knows(1))
	require.NoError(t, os.Remove(filepath.Join(w.root, "metrics")))
	require.Eventually(t, func() bool { return w.file("metrics/comet.prom") != "" }, waitFor, tick)
	r.stop()
}

// A folder of contexts that lies outside the root is not looked into.
func TestContextsLieBelowTheRoot(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	byFlags := other.byFlags(other.self("own"))
	_, err := byFlags.Once(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(w.root, contextsAt)), 0o700))
	require.NoError(t, os.Symlink(filepath.Join(other.root, contextsAt), filepath.Join(w.root, contextsAt)))
	w.tell(w.ini(w.self("own")))
	st, err := w.service().Once(t.Context())
	require.Error(t, err)
	assert.Empty(t, st.Contexts)
}

func TestACleanRefusesWhileAGuestRuns(t *testing.T) {
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	r := w.start(w.service())
	w.status(knows(1))
	done, err := w.service().Clean(t.Context())
	require.ErrorIs(t, err, service.ErrRunning)
	assert.Empty(t, done)
	assert.NotEmpty(t, w.file(identityAt))
	r.stop()
	_, err = w.service().Clean(t.Context())
	require.NoError(t, err)
	assert.Empty(t, w.file(identityAt))
	assert.NotContains(t, w.file("etc/hosts"), "peer")
}

// Flags may name the VM of which metadata has told. It is one context then, with the tokens that flags give, and the machine's own state.
func TestFlagsMayNameTheVMItself(t *testing.T) {
	w := newWorld(t)
	u := w.self("own")
	u.Slice.Tokens = scope.NewTokens() // of before
	w.tell(w.ini(u))
	st, err := w.service().Once(t.Context())
	require.ErrorIs(t, err, comet.ErrNotFound)
	instance := st.Instance

	w.put("hostsmore", "own", scope.Encode(scope.Host{HostName: "own"}))
	w.put("hostsmore", "further", scope.Encode(scope.Host{HostName: "further", IP: "10.0.0.3"}))
	u = w.self("own")
	u.Slice.HostsRead, u.Slice.HostsWrite = []string{"more"}, []string{"more"}
	s := w.byFlags(u)
	st, err = s.Once(t.Context())
	require.NoError(t, err)
	require.Len(t, st.Contexts, 1)
	assert.Equal(t, instance, st.Instance)
	assert.Contains(t, w.file("etc/hosts"), "10.0.0.2\tpeer\n")
	assert.Contains(t, w.file("etc/hosts"), "10.0.0.3\tfurther\n")
}

// What flags have begun ends, and nothing else: the guest of the machine itself goes on.
func TestContextsThatFlagsHaveNamedAreLeft(t *testing.T) {
	w := newWorld(t)
	w.tell(w.ini(w.self("own")))
	second := newWorld(t) // another slice on other heads
	second.peer("far", "10.1.0.2")
	byFlags := w.byFlags(second.self("own"))
	hangups := catch(t, syscall.SIGHUP)
	r := w.start(w.service())
	w.status(knows(1))
	require.NoError(t, byFlags.Run(t.Context(), nil))
	hungUp(t, hangups)
	r.reload <- struct{}{}
	w.status(func(st service.Status) bool { return len(st.Contexts) == 2 && knows(2)(st) })

	require.NoError(t, w.service().Leave(t.Context(), true))
	require.NoError(t, byFlags.Run(t.Context(), nil), "it is named again at once")
	hungUp(t, hangups)
	assert.Empty(t, signalled(t, hangups))
	r.reload <- struct{}{}
	st := w.status(func(st service.Status) bool { return len(st.Contexts) == 2 && knows(2)(st) })
	assert.Equal(t, os.Getpid(), st.PID)

	require.NoError(t, w.service().Leave(t.Context(), false))
	hungUp(t, hangups)
	r.reload <- struct{}{}
	st = w.status(func(st service.Status) bool { return len(st.Contexts) == 1 && knows(1)(st) })
	assert.Equal(t, "own", st.Instance)
	assert.NotContains(t, w.file("etc/hosts"), "far")
	assert.Contains(t, w.file("etc/hosts"), "10.0.0.2\tpeer\n")
	require.NoError(t, w.service().Leave(t.Context(), false), "once more")
	hungUp(t, hangups)
	r.stop()
	require.NoError(t, w.service().Leave(t.Context(), false), "there is nobody to tell")
	assert.Empty(t, signalled(t, hangups))
}

// A guest that flags have begun ends. What it has written stays, as hostkeyd leaves it.
func TestAGuestThatFlagsHaveBegunEnds(t *testing.T) {
	w := newWorld(t)
	s := w.byFlags(w.self("own"))
	ends := catch(t, syscall.SIGTERM)
	r := w.start(s)
	w.status(knows(1))
	left := make(chan error, 1)
	go func() { left <- w.service().Leave(t.Context(), false) }()
	<-ends
	r.stop()
	require.NoError(t, <-left)
	assert.Contains(t, w.file("etc/hosts"), "10.0.0.2\tpeer\n")
	assert.NoDirExists(t, filepath.Join(w.root, contextsAt))
}
