package etcd_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/internal/logtest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func TestURLs(t *testing.T) {
	for _, url := range []string{
		"etcd://h1:2379,h2:2379,h3:2379/comet", "etcd://h1/comet", "etcd://192.0.2.1/comet/", "etcd://[2001:db8::1]:2379/a/b-c_d.e", "etcd://[::1]/x",
	} {
		require.NoError(t, etcd.CheckURL(url), url)
	}
	for url, says := range map[string]string{
		"":                               "does not begin with etcd://",
		"http://h1:2379/comet":           "does not begin with etcd://",
		"etcd://":                        "member 1 is not a host",
		"etcd:///comet":                  "member 1 is not a host",
		"etcd://h1:2379,/comet":          "member 2 is not a host",
		"etcd://h1:0/comet":              "member 1 is not a host",
		"etcd://h1:99999/comet":          "member 1 is not a host",
		"etcd://h1:2379":                 "needs a prefix",
		"etcd://h1:2379/":                "needs a prefix",
		"etcd://h1:2379//comet":          "between slashes",
		"etcd://h1:2379/a//b":            "between slashes",
		"etcd://h1:2379/comet?x=Planted": "between slashes",
		"etcd://h1:2379/comet\x00":       "between slashes",
		"etcd://h1:2379/comet/entries":   `can be "entries"`,
		"etcd://h1:2379/changed/comet":   `can be "changed"`,
		"etcd://me:Planted@h1:2379/c":    "user and password do not belong in it",
		"etcd://Planted!:2379/c":         "member 1 is not a host",
	} {
		_, err := etcd.Open(t.Context(), url)
		require.ErrorIs(t, err, etcd.ErrURL, url)
		require.ErrorContains(t, err, says, url)
		require.NotContains(t, err.Error(), "Planted")
		require.Equal(t, err, etcd.CheckURL(url))
	}
}

func TestPlacesThatAreNoStoresOfOurs(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	client := direct(t, cluster)
	for key, value := range map[string]string{"/foreign/a": "b", "/later/format": "comet-etcd/2", "/bolt/format": "comet/1", "/half/format": "comet-etcd/1"} {
		_, err := client.Put(t.Context(), key, value)
		require.NoError(t, err)
	}
	for prefix, reason := range map[string]error{"/foreign": etcd.ErrNotStore, "/later": etcd.ErrFormat, "/bolt": etcd.ErrNotStore} {
		_, err := etcd.Open(t.Context(), cluster.URL(prefix))
		require.ErrorIs(t, err, reason)
		require.ErrorContains(t, err, cluster.URL(prefix))
	}
	_, err := etcd.Open(t.Context(), cluster.URL("/half"))
	require.ErrorContains(t, err, "damaged")
	r, err := client.Get(t.Context(), "/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	require.EqualValues(t, 4, r.Count, "something was written")
}

func TestOpenEndsWithItsContext(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	_, err := etcd.Open(ctx, cluster.URL("/comet"))
	require.ErrorIs(t, err, gone)
}

func TestIdentityAndEntriesLast(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	s := open(t, cluster.URL("/comet"))
	put(t, s, "vm", "one")
	identity := s.Identity()
	require.NotContains(t, identity, ".", "tags have a dot behind it")
	require.NoError(t, s.Close())
	s = open(t, cluster.URL("/comet"))
	require.Equal(t, identity, s.Identity())
	requireValue(t, s, "vm", "one")
	require.EqualValues(t, 2, put(t, s, "vm", "two").Revision)
	require.NotEqual(t, identity, open(t, cluster.URL("/other")).Identity())
}

// The longest batch of the longest names fits into what etcd takes.
func TestLargestBatch(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	s := open(t, cluster.URL("/comet"))
	long := func(c string, i int) string {
		return strings.Repeat(c, scope.MaxNameLen-2) + fmt.Sprintf("%02d", i)
	}
	batch := func(n int, remove bool) (changes []server.Change) {
		for i := range n {
			changes = append(changes, server.Change{
				Name:      scope.MustName(long("c", i), long("f", i), long("k", i)),
				Tokens:    tokens,
				Value:     strings.Repeat("x", server.MaxValue/etcd.MaxChanges),
				MayCreate: true,
				Delete:    remove,
			})
		}
		return changes
	}
	for _, remove := range []bool{false, true, false} { // the last takes the removals away
		results, err := s.Apply(t.Context(), batch(etcd.MaxChanges, remove)...)
		require.NoError(t, err)
		for _, r := range results {
			require.Equal(t, server.Result{Created: !remove, Changed: true, Revision: results[0].Revision}, r)
		}
	}
	_, err := s.Apply(t.Context(), batch(etcd.MaxChanges+1, false)...)
	require.ErrorContains(t, err, "at most 40 changes")
}

func TestEtcdHoldsNoTokens(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	s := open(t, cluster.URL("/comet"))
	put(t, s, "vm", "a value that etcd holds")
	put(t, s, "gone", "x")
	remove(t, s, "gone")
	r, err := direct(t, cluster).Get(t.Context(), "\x00", clientv3.WithFromKey())
	require.NoError(t, err)
	var all []byte
	for _, kv := range r.Kvs {
		all = append(append(all, kv.Key...), kv.Value...)
	}
	require.Contains(t, string(all), "a value that etcd holds")
	for _, token := range []string{tokens.Read.Reveal(), tokens.Write.Reveal()} {
		for _, form := range []string{token, hex.EncodeToString([]byte(token)), base64.RawStdEncoding.EncodeToString([]byte(token))} {
			require.NotContains(t, string(all), form)
		}
	}
}

func TestEtcdWithUsers(t *testing.T) {
	cluster := etcdtest.Start(t, 1)
	client := direct(t, cluster)
	ctx := t.Context()
	steps := []func() error{
		func() error { _, err := client.UserAdd(ctx, "root", "Root-Planted"); return err },
		func() error { _, err := client.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := client.RoleAdd(ctx, "comet"); return err },
		func() error {
			_, err := client.RoleGrantPermission(ctx, "comet", "/comet/", clientv3.GetPrefixRangeEnd("/comet/"), clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		},
		func() error { _, err := client.UserAdd(ctx, "head", "Planted-1"); return err },
		func() error { _, err := client.UserGrantRole(ctx, "head", "comet"); return err },
		func() error { _, err := client.AuthEnable(ctx); return err },
	}
	for _, step := range steps {
		require.NoError(t, step())
	}
	var log logtest.Buffer
	logger := etcd.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	user := etcd.WithUser("head", tlsconfig.NewPassword("Planted-1"))
	for what, options := range map[string][]etcd.Option{
		"nobody":         nil,
		"wrong password": {etcd.WithUser("head", tlsconfig.NewPassword("Planted-2"))},
		"unknown user":   {etcd.WithUser("stranger", tlsconfig.NewPassword("Planted-1"))},
	} {
		_, err := etcd.Open(ctx, cluster.URL("/comet"), append(options, logger)...)
		require.ErrorContains(t, err, "etcd refuses ", what)
		require.NotContains(t, err.Error(), "Planted")
	}
	_, err := etcd.Open(ctx, cluster.URL("/elsewhere"), user, logger)
	require.ErrorContains(t, err, "permission denied")

	s := open(t, cluster.URL("/comet"), user, logger)
	changed := watch(t, s)
	put(t, s, "vm", "one")
	requireWoken(t, changed)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		require.Equal(t, "etcd.Store("+cluster.URL("/comet")+")", fmt.Sprintf(verb, s))
	}

	// A member that was started again knows nobody who had logged in.
	cluster.Members[0].Kill()
	cluster.Members[0].Start()
	cluster.Members[0].WaitWell()
	put(t, s, "vm", "two")
	requireWoken(t, changed)
	requireValue(t, s, "vm", "two")
	require.NoError(t, s.Close())
	require.NotContains(t, log.String(), "Planted")
}

func TestEtcdOverTLS(t *testing.T) {
	certs, err := tlsconfig.WriteDevelopment(t.TempDir())
	require.NoError(t, err)
	cluster := etcdtest.StartTLS(t, 3, "https", "--cert-file", certs.Server.Cert, "--key-file", certs.Server.Key,
		"--client-cert-auth", "--trusted-ca-file", certs.Server.CA)
	live, err := tlsconfig.Open(certs.Client, tlsconfig.Names{})
	require.NoError(t, err)
	t.Cleanup(func() { live.Close() })
	s := open(t, cluster.URL("/comet"), etcd.WithTLSFor(live.Client))
	changed := watch(t, s)
	put(t, s, "vm", "one")
	requireWoken(t, changed)
	requireValue(t, s, "vm", "one")

	short := etcd.WithTimeout(time.Second)
	_, err = etcd.Open(t.Context(), cluster.URL("/comet"), short)
	require.ErrorIs(t, err, etcd.ErrUnavailable, "without TLS")
	stranger, err := tlsconfig.WriteDevelopment(t.TempDir())
	require.NoError(t, err)
	other, err := tlsconfig.Open(stranger.Client, tlsconfig.Names{})
	require.NoError(t, err)
	t.Cleanup(func() { other.Close() })
	_, err = etcd.Open(t.Context(), cluster.URL("/comet"), short, etcd.WithTLSFor(other.Client))
	require.ErrorIs(t, err, etcd.ErrUnavailable, "with a foreign CA")
	require.ErrorContains(t, err, "certificate")
	require.NotContains(t, err.Error(), "\n")
}
