package tlsconfig_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// TestExpiryWarnings come once per threshold, for the own certificate and the CA.
func TestExpiryWarnings(t *testing.T) {
	root, err := tlsconfig.NewAuthority("ca", 100*24*time.Hour)
	require.NoError(t, err)
	start := time.Now()
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(root.Certificate()))
	f.putIdentity(t, "client", issue(t, root, tlsconfig.Template{CommonName: "me", Client: true, NotAfter: start.Add(50 * 24 * time.Hour)}))
	var days atomic.Int64
	clock := func() time.Time { return start.Add(time.Duration(days.Load()) * 24 * time.Hour) }
	j := newJournal()
	live := open(t, f.files("client"), tlsconfig.Names{}, j.option(), tlsconfig.WithClock(clock), tlsconfig.WithInterval(time.Millisecond))
	require.Empty(t, j.String())
	require.Empty(t, live.Status().Warnings)
	for _, step := range []struct {
		day  int64
		says string
	}{
		{21, `identity: certificate \"CN=me\" expires`}, {44, "in 5 days"}, {49, "in 23 hours"}, {51, `identity: certificate \"CN=me\" expired`},
		{75, `CA: certificate \"CN=ca\" expires`}, {97, "in 2 days"},
	} {
		days.Store(step.day)
		j.wait(t, step.says)
	}
	require.NoError(t, live.Close())
	require.Equal(t, 6, strings.Count(j.String(), "renew it"), j)
	require.Len(t, live.Status().Warnings, 2)
}

// TestExpiryWarningsInHandshakes: with nothing in the background they are given all the same.
func TestExpiryWarningsInHandshakes(t *testing.T) {
	ours := authority(t, "ours")
	start := time.Now()
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	f.putIdentity(t, "me", issue(t, ours, tlsconfig.Template{CommonName: "me", Hosts: []string{"127.0.0.1"}, Server: true, Client: true, NotAfter: start.Add(50 * 24 * time.Hour)}))
	var days atomic.Int64
	clock := func() time.Time { return start.Add(time.Duration(days.Load()) * 24 * time.Hour) }
	atHead, atCaller := newJournal(), newJournal()
	h := serve(t, open(t, f.files("me"), tlsconfig.Names{}, atHead.option(), tlsconfig.WithClock(clock)).Server())
	caller := open(t, f.files("me"), tlsconfig.Names{}, atCaller.option(), tlsconfig.WithClock(clock))
	for i, day := range []int64{21, 44, 49} {
		days.Store(day)
		for range 3 {
			_, err := call(caller.Client(h.addr), h.addr)
			require.NoError(t, err)
		}
		require.Equal(t, i+1, strings.Count(atHead.String(), "renew it"))
		require.Equal(t, i+1, strings.Count(atCaller.String(), "renew it"))
	}

	// One that is put in place is looked at at once.
	f.putIdentity(t, "me", issue(t, ours, tlsconfig.Template{CommonName: "next", Hosts: []string{"127.0.0.1"}, Server: true, Client: true, NotAfter: clock().Add(5 * 24 * time.Hour)}))
	_, err := call(caller.Client(h.addr), h.addr)
	require.NoError(t, err)
	require.Contains(t, atHead.String(), `\"CN=next\" expires`)
	require.Contains(t, atCaller.String(), `\"CN=next\" expires`)
}

func TestExpiredAtOpen(t *testing.T) {
	f := newFolder(t)
	past := tlsconfig.Template{CommonName: "old", CA: true, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	old, err := tlsconfig.SelfSigned(past)
	require.NoError(t, err)
	f.put(t, "ca.pem", chainPEM(old))
	_, err = tlsconfig.Open(f.files(""), tlsconfig.Names{}, quiet)
	var validity *tlsconfig.ValidityError
	require.ErrorAs(t, err, &validity)
	require.ErrorContains(t, err, "ca.pem")

	f.put(t, "ca.pem", append(chainPEM(old), certPEM(authority(t, "new").Certificate())...))
	live := open(t, f.files(""), tlsconfig.Names{})
	require.Contains(t, strings.Join(live.Status().Warnings, "\n"), "expired", "one of a bundle is only warned about")
}
