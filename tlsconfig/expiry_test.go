package tlsconfig_test

import (
	"crypto"
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
	j := newJournal()
	live := open(t, f.files(""), tlsconfig.Names{}, j.option())
	require.Len(t, live.Status().Warnings, 1)
	require.Regexp(t, `^CA: certificate "CN=old" expired .*, others beside it are valid: remove it$`, live.Status().Warnings[0])
	require.Empty(t, j.String(), "nobody renews it, and nobody wants to read of it each time")
}

// TestNextCertificateInTheSameFile: when the one in use expires, the one that was put behind it takes over, though no file changes.
func TestNextCertificateInTheSameFile(t *testing.T) {
	ours := authority(t, "ours")
	start := time.Now()
	here := []string{"127.0.0.1"}
	today := issue(t, ours, tlsconfig.Template{CommonName: "today", Hosts: here, Server: true, Client: true, NotAfter: start.Add(time.Hour)})
	next := issue(t, ours, tlsconfig.Template{CommonName: "next", Hosts: here, Server: true, Client: true,
		NotBefore: start.Add(30 * time.Minute), NotAfter: start.Add(3 * time.Hour), Key: today.PrivateKey.(crypto.Signer)})
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	f.putIdentity(t, "me", today)
	f.put(t, "me.pem", certPEM(today.Leaf, next.Leaf))
	var minutes atomic.Int64
	clock := tlsconfig.WithClock(func() time.Time { return start.Add(time.Duration(minutes.Load()) * time.Minute) })
	shown := func(live *tlsconfig.Live) string { return live.Status().Files[1].Certificates[0].Subject }

	asked, shaken, j := open(t, f.files("me"), tlsconfig.Names{}, clock), open(t, f.files("me"), tlsconfig.Names{}, clock), newJournal()
	h := serve(t, shaken.Server())
	caller := open(t, f.files("me"), tlsconfig.Names{}, clock, j.option())
	require.Equal(t, "CN=today", shown(asked))
	minutes.Store(45)
	require.NoError(t, asked.Reload())
	require.Equal(t, "CN=today", shown(asked), "what is valid stays")
	minutes.Store(61)
	changed := asked.Changed()
	require.NoError(t, asked.Reload())
	require.Equal(t, "CN=next", shown(asked))
	require.True(t, closed(changed))

	_, err := call(caller.Client(h.addr), h.addr)
	require.NoError(t, err, "a handshake finds it by itself")
	require.Equal(t, "CN=next", shown(shaken))
	require.Equal(t, "CN=next", shown(caller))

	// With nothing to follow, the last one stays; that it has expired is said once.
	minutes.Store(181)
	for range 3 {
		require.NoError(t, caller.Reload())
		_, err = call(caller.Client(h.addr), h.addr)
		require.Error(t, err)
	}
	require.Equal(t, "CN=next", shown(caller))
	require.Equal(t, 1, strings.Count(j.String(), `\"CN=next\" expired`), j)
	require.Empty(t, caller.Status().Error)
}
