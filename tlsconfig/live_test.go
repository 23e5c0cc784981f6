package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// TestRotation replaces CA and both identities while requests go through, each on a connection of its own: none may fail.
func TestRotation(t *testing.T) {
	before, after := authority(t, "before"), authority(t, "after")
	here := []string{"127.0.0.1"}
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(before.Certificate()))
	f.putIdentity(t, "server", issue(t, before, tlsconfig.Template{CommonName: "h", Hosts: here, Server: true}))
	f.putIdentity(t, "client", issue(t, before, tlsconfig.Template{CommonName: "c", Client: true}))
	atHead, atCaller := open(t, f.files("server"), tlsconfig.Names{}), open(t, f.files("client"), tlsconfig.Names{})

	var untrusted atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !atHead.Trusted(r.TLS) {
			untrusted.Add(1)
		}
		fmt.Fprint(w, r.TLS.PeerCertificates[0].Issuer.CommonName)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that the end of the test cuts off
	server.Listener = tls.NewListener(server.Listener, atHead.Server())
	server.Start()
	defer server.Close()
	addr := server.Listener.Addr().String()

	ctx, cancel := context.WithCancel(context.Background())
	var callers sync.WaitGroup
	type answer struct {
		caller int
		err    error
	}
	answers := make(chan answer)
	const crowd = 4
	for caller := range crowd {
		callers.Go(func() {
			transport := &http.Transport{TLSClientConfig: atCaller.Client(addr), DisableKeepAlives: true}
			for ctx.Err() == nil {
				err := get(transport, "https://"+addr)
				select {
				case answers <- answer{caller, err}:
				case <-ctx.Done():
				}
			}
		})
	}
	settled := func(follower *tlsconfig.Live, change func()) { // change, and wait until follower, which others ask for files, has it in use
		changed := follower.Changed()
		change()
		for !closed(changed) {
			select {
			case a := <-answers:
				assert.NoError(t, a.err)
			case <-changed:
			}
		}
	}
	some := func() { // every caller has made a request that began in this stage
		t.Helper()
		var counts [crowd]int
		for slices.Min(counts[:]) < 3 {
			a := <-answers
			assert.NoError(t, a.err)
			counts[a.caller]++
		}
	}
	some()
	f.put(t, "ca.pem", certPEM(before.Certificate(), after.Certificate()))
	some()
	f.putIdentity(t, "server", issue(t, after, tlsconfig.Template{CommonName: "h", Hosts: here, Server: true}))
	some()
	settled(atCaller, func() { f.putIdentity(t, "client", issue(t, after, tlsconfig.Template{CommonName: "c", Client: true})) })
	some()
	f.put(t, "ca.pem", certPEM(after.Certificate()))
	some()
	cancel()
	callers.Wait()
	require.Zero(t, untrusted.Load())

	transport := &http.Transport{TLSClientConfig: tlsconfig.Client([]*x509.Certificate{after.Certificate()}, nil)}
	transport.TLSClientConfig.GetClientCertificate = atCaller.Client(addr).GetClientCertificate
	require.NoError(t, get(transport, "https://"+addr), "the head shows the new certificate")
	transport.CloseIdleConnections()
}

func get(transport http.RoundTripper, url string) error {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// TestRereadBeforeRefusing: a CA that was replaced in place, unseen by stat, is found before a certificate is refused.
func TestRereadBeforeRefusing(t *testing.T) {
	ours, other := authority(t, "ours"), authority(t, "othr")
	f := newFolder(t)
	a, b := certPEM(other.Certificate()), certPEM(ours.Certificate())
	for len(a) != len(b) { // to the same size, with text behind
		if len(a) < len(b) {
			a = append(a, '\n')
		} else {
			b = append(b, '\n')
		}
	}
	path := f.put(t, "ca.pem", a)
	info, err := os.Stat(path)
	require.NoError(t, err)
	live := open(t, f.files(""), tlsconfig.Names{})
	require.NoError(t, os.WriteFile(path, b, 0o600))
	require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	h := serve(t, tlsconfig.Server(issue(t, ours, tlsconfig.Template{Hosts: []string{"127.0.0.1"}, Server: true}), nil))
	_, err = call(live.Client(h.addr), h.addr)
	require.NoError(t, err)
}

// TestChangeIsSeenWithoutHandshakes, by the background look.
func TestChangeIsSeenWithoutHandshakes(t *testing.T) {
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(authority(t, "before").Certificate()))
	j := newJournal()
	live := open(t, f.files(""), tlsconfig.Names{}, j.option(), tlsconfig.WithInterval(time.Millisecond))
	f.put(t, "ca.pem", certPEM(authority(t, "after").Certificate()))
	j.wait(t, "certificates reloaded")
	require.Equal(t, "CN=after", live.Status().Files[0].Certificates[0].Subject)
}

// TestChanged: everybody who waits learns of a change, and of nothing else.
func TestChanged(t *testing.T) {
	f := newFolder(t)
	good := certPEM(authority(t, "before").Certificate())
	f.put(t, "ca.pem", good)
	live := open(t, f.files(""), tlsconfig.Names{})
	first := live.Changed()
	for _, same := range [][]byte{good, []byte("half a file"), good} {
		f.put(t, "ca.pem", same)
		_ = live.Reload()
		require.False(t, closed(first))
	}
	require.Equal(t, first, live.Changed(), "all wait for one change")

	var waiting sync.WaitGroup
	for range 3 {
		change := live.Changed()
		waiting.Go(func() { <-change })
	}
	f.put(t, "ca.pem", certPEM(authority(t, "after").Certificate()))
	require.NoError(t, live.Reload())
	waiting.Wait()
	require.True(t, closed(first))
	require.Equal(t, "CN=after", live.Status().Files[0].Certificates[0].Subject, "it is in use by then")
	second := live.Changed()
	require.False(t, closed(second), "the next change has its own channel")

	f.put(t, "ca.pem", good)
	require.NoError(t, live.Reload())
	require.True(t, closed(second))
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// TestBrokenReplacement: what was read before stays in use; it is said once per change, and in the status until mended.
func TestBrokenReplacement(t *testing.T) {
	ours := authority(t, "ours")
	f := newFolder(t)
	good := certPEM(ours.Certificate())
	f.put(t, "ca.pem", good)
	f.putIdentity(t, "client", issue(t, ours, tlsconfig.Template{CommonName: "c", Client: true}))
	roots := []*x509.Certificate{ours.Certificate()}
	h := serve(t, tlsconfig.Server(issue(t, ours, tlsconfig.Template{Hosts: []string{"127.0.0.1"}, Server: true}), roots))
	j := newJournal()
	live := open(t, f.files("client"), tlsconfig.Names{}, j.option())

	f.put(t, "ca.pem", []byte("half a file"))
	for range 3 {
		require.ErrorIs(t, live.Reload(), tlsconfig.ErrMalformed)
		_, err := call(live.Client(h.addr), h.addr)
		require.NoError(t, err)
	}
	require.Equal(t, 1, strings.Count(j.String(), "stay in use"))
	require.Contains(t, live.Status().Error, "ca.pem")

	f.put(t, "ca.pem", []byte("another half"))
	stranger := serve(t, tlsconfig.Server(issue(t, authority(t, "other"), tlsconfig.Template{Hosts: []string{"127.0.0.1"}, Server: true}), nil))
	for range 2 {
		_, err := call(live.Client(stranger.addr), stranger.addr)
		var unknown *tlsconfig.AuthorityError
		require.ErrorAs(t, err, &unknown, "the CA in use is still checked")
	}
	require.Error(t, live.Reload())
	require.Equal(t, 2, strings.Count(j.String(), "stay in use"))

	f.put(t, "ca.pem", good)
	require.NoError(t, live.Reload())
	require.Empty(t, live.Status().Error)

	require.NoError(t, os.Remove(filepath.Join(string(f), "client.key")))
	require.ErrorIs(t, live.Reload(), os.ErrNotExist)
	expired := issue(t, ours, tlsconfig.Template{CommonName: "c", NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	f.putIdentity(t, "client", expired)
	var validity *tlsconfig.ValidityError
	require.ErrorAs(t, live.Reload(), &validity)
	require.Contains(t, live.Status().Error, "client.pem")
}

// TestSlowReading: while one goroutine is at reading the files, handshakes go on with what is in use, and the status is told.
func TestSlowReading(t *testing.T) {
	ours := authority(t, "ours")
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	f.putIdentity(t, "head", issue(t, ours, tlsconfig.Template{CommonName: "h", Hosts: []string{"127.0.0.1"}, Server: true, Client: true}))
	var armed atomic.Bool
	reading, goOn := make(chan struct{}), make(chan struct{})
	clock := func() time.Time { // the first look at it after arming is from the reading
		if armed.CompareAndSwap(true, false) {
			close(reading)
			<-goOn
		}
		return time.Now()
	}
	live := open(t, f.files("head"), tlsconfig.Names{}, tlsconfig.WithClock(clock))
	h := serve(t, live.Server())

	f.put(t, "ca.pem", certPEM(ours.Certificate(), authority(t, "more").Certificate()))
	armed.Store(true)
	reloaded := make(chan error)
	go func() { reloaded <- live.Reload() }()
	<-reading
	for range 2 {
		f.put(t, "ca.pem", certPEM(ours.Certificate(), authority(t, "still more").Certificate())) // touched again
		_, err := call(live.Client(h.addr), h.addr)
		require.NoError(t, err)
	}
	require.Len(t, live.Status().Files[0].Certificates, 1)
	close(goOn)
	require.NoError(t, <-reloaded)
	require.Len(t, live.Status().Files[0].Certificates, 2)
	_, err := call(live.Client(h.addr), h.addr)
	require.NoError(t, err)
	require.Equal(t, "CN=still more", live.Status().Files[0].Certificates[1].Subject, "what was touched meanwhile is seen next")
}

func TestKeyStoreOutranksPair(t *testing.T) {
	ours := authority(t, "ours")
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	f.putIdentity(t, "pair", issue(t, ours, tlsconfig.Template{CommonName: "pair", Client: true}))
	files := f.files("pair")
	files.KeyStore = filepath.Join(fixtures, "rsa.jks")
	files.KeyStorePassword = tlsconfig.NewPassword("storepass")

	status := open(t, files, tlsconfig.Names{}).Status()
	require.Equal(t, "CN=rsa,O=COMET fixtures", status.Files[1].Certificates[0].Subject)
	require.Len(t, status.Warnings, 1)
	require.Contains(t, status.Warnings[0], "which is another")

	files.Key += ".missing"
	status = open(t, files, tlsconfig.Names{}).Status()
	require.Contains(t, strings.Join(status.Warnings, "\n"), "cannot be")

	files = f.files("pair")
	files.KeyStore = filepath.Join(string(f), "missing.jks")
	status = open(t, files, tlsconfig.Names{}).Status()
	require.Equal(t, "CN=pair", status.Files[1].Certificates[0].Subject)
	require.Contains(t, strings.Join(status.Warnings, "\n"), "missing.jks does not exist")

	// Once it was in use it must be there: the pair is no replacement for it.
	ec, err := os.ReadFile(filepath.Join(fixtures, "ec.jks"))
	require.NoError(t, err)
	files.KeyStore, files.KeyStorePassword = f.put(t, "own.jks", ec), tlsconfig.NewPassword("storepass")
	j := newJournal()
	live := open(t, files, tlsconfig.Names{}, j.option())
	require.NoError(t, os.Remove(files.KeyStore))
	err = live.Reload()
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "own.jks")
	require.Contains(t, j.String(), "stay in use")
	require.Equal(t, "CN=ec,O=COMET fixtures", live.Status().Files[1].Certificates[0].Subject)
	require.Contains(t, live.Status().Error, "own.jks")
	f.put(t, "own.jks", ec)
	require.NoError(t, live.Reload())
	require.Empty(t, live.Status().Error)

	files.KeyStore = filepath.Join(string(f), "missing.jks")
	files.Cert, files.Key = "", ""
	_, err = tlsconfig.Open(files, tlsconfig.Names{}, quiet)
	require.ErrorIs(t, err, os.ErrNotExist)

	// One file for both, named in either place.
	both := filepath.Join(fixtures, "cert-then-key.pem")
	for _, files := range []tlsconfig.Files{{CA: f.files("").CA, Cert: both}, {CA: f.files("").CA, Key: both}, {CA: f.files("").CA, KeyStore: both}} {
		status := open(t, files, tlsconfig.Names{}).Status()
		require.Equal(t, "CN=ec-leaf,O=COMET fixtures", status.Files[1].Certificates[0].Subject)
		require.Len(t, status.Files[1].Certificates, 2)
	}
}

func TestOpenRefuses(t *testing.T) {
	f := newFolder(t)
	ca := f.put(t, "ca.pem", certPEM(authority(t, "ours").Certificate()))
	_, err := tlsconfig.Open(tlsconfig.Files{}, tlsconfig.Names{}, quiet)
	require.ErrorIs(t, err, tlsconfig.ErrNoCA)
	_, err = tlsconfig.Open(tlsconfig.Files{CA: ca + ".not"}, tlsconfig.Names{}, quiet)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, ca+".not")
	_, err = tlsconfig.Open(tlsconfig.Files{CA: string(f)}, tlsconfig.Names{}, quiet)
	require.ErrorContains(t, err, "not a regular file")
	big := f.put(t, "big.pem", append(certPEM(authority(t, "ours").Certificate()), make([]byte, 1<<20)...))
	_, err = tlsconfig.Open(tlsconfig.Files{CA: big}, tlsconfig.Names{}, quiet)
	require.ErrorIs(t, err, tlsconfig.ErrMalformed)
	_, err = tlsconfig.Open(tlsconfig.Files{CA: ca}, tlsconfig.Names{Accept: map[string][]string{"": {"no host"}}}, quiet)
	require.ErrorContains(t, err, "no host")
}

// TestCAText takes a CA that is in no file: one of that name does not count.
func TestCAText(t *testing.T) {
	ours, public := authority(t, "ours"), authority(t, "public root")
	old, err := tlsconfig.SelfSigned(tlsconfig.Template{CommonName: "old", CA: true, NotAfter: time.Now().Add(-time.Minute)})
	require.NoError(t, err)
	f := newFolder(t)
	files := tlsconfig.Files{CA: f.put(t, "ca.pem", certPEM(authority(t, "other").Certificate())), CAText: string(ours.Certificate().Raw)}
	head := serve(t, tlsconfig.Server(issue(t, ours, tlsconfig.Template{CommonName: "h", Hosts: []string{"127.0.0.1"}, Server: true}), nil))
	live := open(t, files, tlsconfig.Names{})
	for range 2 {
		_, err := call(live.Client(head.addr), head.addr)
		require.NoError(t, err)
		require.NoError(t, live.Reload())
	}
	require.Equal(t, files.CA, live.Status().Files[0].Path)

	for text, want := range map[string]string{
		"hunter2":                        "CA told: malformed",
		string(public.Certificate().Raw): "CA told: any server name refused under a public CA",
		string(old.Leaf.Raw):             `CA told: certificate "CN=old" expired`,
	} {
		_, err := tlsconfig.Open(tlsconfig.Files{CA: "told", CAText: text}, tlsconfig.Names{Any: true}, quiet,
			tlsconfig.WithPublicRoots(pool(public.Certificate())))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestStatus(t *testing.T) {
	ours := authority(t, "ours")
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(ours.Certificate()))
	f.putIdentity(t, "server", issue(t, below(t, ours, "lower"), tlsconfig.Template{CommonName: "h", Hosts: []string{"head.example.net", "10.0.0.1"}, Server: true}))
	accept, err := tlsconfig.ParseNames([]string{"*.example.net", "10.0.0.1:8111=head.example.org"})
	require.NoError(t, err)
	s := open(t, f.files("server"), tlsconfig.Names{Accept: accept}).Status()
	require.Len(t, s.Files, 2)
	assert.Equal(t, "CA", s.Files[0].Role)
	assert.Equal(t, "PEM", s.Files[0].Form)
	own := s.Files[1].Certificates
	require.Len(t, own, 2)
	assert.Equal(t, "CN=h", own[0].Subject)
	assert.Equal(t, "CN=lower", own[0].Issuer)
	assert.Equal(t, []string{"head.example.net", "10.0.0.1"}, own[0].Names)
	assert.Equal(t, "ECDSA P-256", own[0].Key)
	assert.Len(t, own[0].SHA256, 64)
	assert.Equal(t, "the host that is dialled, or 10.0.0.1:8111: head.example.org; any head: *.example.net", s.NameRule)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"nameRule":"the host`)
}

func TestCloseEndsTheWatching(t *testing.T) {
	ignored := goleak.IgnoreCurrent()
	f := newFolder(t)
	f.put(t, "ca.pem", certPEM(authority(t, "ours").Certificate()))
	live, err := tlsconfig.Open(f.files(""), tlsconfig.Names{}, quiet, tlsconfig.WithInterval(time.Millisecond))
	require.NoError(t, err)
	var closers sync.WaitGroup
	for range 3 {
		closers.Go(func() { assert.NoError(t, live.Close()) })
	}
	closers.Wait()
	require.NoError(t, live.Close())
	goleak.VerifyNone(t, ignored)
}
