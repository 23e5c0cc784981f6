package admin_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/admin"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/scope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

func serve(t *testing.T, store admin.Store, dir string) *admin.Client {
	t.Helper()
	end, err := admin.Serve(store, dir, quiet)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, end()) })
	return dial(t, dir)
}

func dial(t *testing.T, dir string) *admin.Client {
	t.Helper()
	c, err := admin.Dial(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestClientDoesWhatTheStoreDoes(t *testing.T) {
	dir := t.TempDir()
	store, err := bolt.Open(filepath.Join(dir, "comet.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	n := scope.MustName("slice & more", "hostsall", "vm")
	_, err = store.Apply(t.Context(), server.Change{Name: n, Tokens: scope.NewTokens(), Value: "one", MayCreate: true})
	require.NoError(t, err)
	c := serve(t, store, dir)

	var b bytes.Buffer
	require.NoError(t, c.Backup(t.Context(), &b))
	taken, err := bolt.CheckBackup(&b)
	require.NoError(t, err)
	require.Equal(t, store.Identity(), taken.Store)

	exported := filepath.Join(t.TempDir(), "export")
	b.Reset()
	require.NoError(t, c.Export(t.Context(), &b))
	require.NoError(t, os.WriteFile(exported, b.Bytes(), 0o600))
	f, err := contents.Open(exported, nil)
	require.NoError(t, err)
	require.Equal(t, 1, f.Entries)
	require.NoError(t, f.Close())

	want, err := store.Groups(t.Context())
	require.NoError(t, err)
	require.Len(t, want, 1)
	groups, err := c.Groups(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, groups)

	removed, err := c.Purge(t.Context(), n.Context, want[0].Newest.Add(-time.Millisecond))
	require.NoError(t, err)
	require.Zero(t, removed, "it has changed since")
	removed, err = c.Purge(t.Context(), n.Context, want[0].Newest)
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	groups, err = c.Groups(t.Context())
	require.NoError(t, err)
	require.Empty(t, groups)
}

func TestSocketIsPrivateAndGoesWithTheHead(t *testing.T) {
	dir := t.TempDir()
	end, err := admin.Serve(fake{}, dir, quiet)
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(dir, admin.SocketName))
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|0o600, info.Mode())
	require.NoError(t, end())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestNoHead(t *testing.T) {
	dir := t.TempDir()
	_, err := admin.Dial(t.Context(), dir)
	require.ErrorIs(t, err, admin.ErrNoHead)
	_, err = admin.Dial(t.Context(), filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, admin.ErrNoHead)

	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, admin.SocketName)})
	require.NoError(t, err)
	left.SetUnlinkOnClose(false)
	require.NoError(t, left.Close())
	_, err = admin.Dial(t.Context(), dir)
	require.ErrorIs(t, err, admin.ErrNoHead)
	_, err = serve(t, fake{}, dir).Groups(t.Context())
	require.NoError(t, err, "what a killed head left is in the way")
}

func TestOtherFilesOfThatNameStay(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, admin.SocketName)
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	_, err := admin.Serve(fake{}, dir, quiet)
	require.ErrorContains(t, err, "socket for operators")
	require.FileExists(t, path)
}

// Sockets have short names; folders need not.
func TestLongPaths(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 50))
	require.NoError(t, os.Mkdir(dir, 0o700))
	_, err := serve(t, fake{}, dir).Groups(t.Context())
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, admin.SocketName))
}

// fake is a store whose streams fail, or wait, after their beginning.
type fake struct {
	fails error
	wait  func(context.Context)
}

func (f fake) Backup(ctx context.Context, w io.Writer) error {
	if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
		return err
	}
	if f.wait != nil {
		f.wait(ctx)
	}
	return f.fails
}

func (f fake) Export(ctx context.Context, w io.Writer) error { return f.Backup(ctx, w) }

func (f fake) Groups(context.Context) ([]contents.Group, error) { return nil, f.fails }

func (f fake) Purge(context.Context, scope.ContextID, time.Time) (int, error) { return 0, f.fails }

func TestErrorsOfTheStoreAreTold(t *testing.T) {
	c := serve(t, fake{fails: errors.New("the store\nis ill")}, t.TempDir())
	_, err := c.Groups(t.Context())
	require.EqualError(t, err, "the head says: the store; is ill")
	_, err = c.Purge(t.Context(), scope.MustName("slice", "f", "k").Context, time.Now())
	require.EqualError(t, err, "the head says: the store; is ill")
	require.EqualError(t, c.Backup(t.Context(), io.Discard), "the store; is ill")
	require.EqualError(t, c.Export(t.Context(), io.Discard), "the store; is ill")
}

func TestStreamThatIsCutOffIsNotWhole(t *testing.T) {
	dir := t.TempDir()
	begun := make(chan bool)
	end, err := admin.Serve(fake{wait: func(ctx context.Context) { close(begun); <-ctx.Done() }}, dir, quiet)
	require.NoError(t, err)
	c := dial(t, dir)
	failed := make(chan error)
	go func() { failed <- c.Backup(t.Context(), io.Discard) }()
	<-begun
	require.NoError(t, end())
	require.ErrorContains(t, <-failed, "the head has ended")
}

func TestOperatorWhoLeavesEndsTheStream(t *testing.T) {
	ended := make(chan bool)
	ctx, stop := context.WithCancelCause(t.Context())
	left := errors.New("the operator left")
	c := serve(t, fake{wait: func(ctx context.Context) { stop(left); <-ctx.Done(); close(ended) }}, t.TempDir())
	require.ErrorIs(t, c.Backup(ctx, io.Discard), left)
	<-ended
}
