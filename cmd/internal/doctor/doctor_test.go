package doctor_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/cmd/internal/doctor"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shortly is the time of one step where a test waits for it to end.
const shortly = 400 * time.Millisecond

// examine examines, and holds what every report must keep to.
func examine(t *testing.T, s doctor.Subject) doctor.Report {
	t.Helper()
	r := doctor.Examine(t.Context(), s)
	for _, c := range r.Checks {
		assert.NotEmpty(t, c.About)
		assert.NotEmpty(t, c.Says)
		if c.State != doctor.OK {
			assert.NotEmpty(t, c.DoThis, "%+v", c)
		}
		assert.NotContains(t, c.Says+c.DoThis, "\n")
	}
	assert.Equal(t, r.Err() == nil, r.Well)
	return r
}

// check returns the first check about something in a step.
func check(t *testing.T, r doctor.Report, about, step string) doctor.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.About == about && c.Step == step {
			return c
		}
	}
	require.Fail(t, "no such check", "%s %s in %+v", about, step, r.Checks)
	return doctor.Check{}
}

// states are the states of the checks about something, by step.
func states(r doctor.Report, about string) map[string]doctor.State {
	all := map[string]doctor.State{}
	for _, c := range r.Checks {
		if c.About == about {
			all[c.Step] = c.State
		}
	}
	return all
}

// healthy are the steps at a head that is well.
func healthy() map[string]doctor.State {
	all := map[string]doctor.State{}
	for _, step := range []string{"dns", "connect", "tls", "certificate", "our certificate", "version", "latency", "store", "clock"} {
		all[step] = doctor.OK
	}
	return all
}

// of is a subject with the heads' CA and a certificate that they trust.
func of(t *testing.T, heads *comettest.Heads) doctor.Subject {
	identity, err := heads.Authority().Client("caller")
	require.NoError(t, err)
	return doctor.Subject{Heads: heads.List(), Files: files(t, []*tlsconfig.Authority{heads.Authority()}, &identity)}
}

// files writes CAs and identity as PEM.
func files(t *testing.T, authorities []*tlsconfig.Authority, identity *tls.Certificate) tlsconfig.Files {
	dir := t.TempDir()
	var cas []byte
	for _, a := range authorities {
		cas = append(cas, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw})...)
	}
	f := tlsconfig.Files{CA: filepath.Join(dir, "ca.pem")}
	require.NoError(t, os.WriteFile(f.CA, cas, 0o600))
	if identity == nil {
		return f
	}
	key, err := x509.MarshalPKCS8PrivateKey(identity.PrivateKey)
	require.NoError(t, err)
	f.Cert, f.Key = filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")
	require.NoError(t, os.WriteFile(f.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: identity.Leaf.Raw}), 0o644))
	require.NoError(t, os.WriteFile(f.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	return f
}

func newAuthority(t *testing.T, name string) *tlsconfig.Authority {
	a, err := tlsconfig.NewAuthority(name, time.Hour)
	require.NoError(t, err)
	return a
}

func TestAllWell(t *testing.T) {
	heads := comettest.Start(t, 2)
	s := of(t, heads)
	r := examine(t, s)
	require.NoError(t, r.Err())
	assert.Equal(t, []string{heads.URL(0), heads.URL(1)}, r.Heads)
	for _, head := range r.Heads {
		want := healthy()
		want["certificate"] = doctor.Warning // that of the test ends tomorrow
		assert.Equal(t, want, states(r, head))
		assert.Contains(t, check(t, r, head, "tls").Says, "TLS 1.3; trusted: its certificate names 127.0.0.1")
		certificate := check(t, r, head, "certificate").Says
		assert.Contains(t, certificate, `"CN=comettest head", issued by "CN=comettest CA"; for localhost, 127.0.0.1, ::1; valid until `)
		assert.Contains(t, certificate, ", 0 days")
		assert.Equal(t, `"CN=caller" is sent; the head asks for one from any CA`, check(t, r, head, "our certificate").Says)
		assert.Contains(t, check(t, r, head, "version").Says, "HTTP 200; version ")
		assert.Contains(t, check(t, r, head, "latency").Says, "the median of 5 requests")
	}
	assert.Contains(t, check(t, r, doctor.AllHeads, "store").Says, "serve store ")
	assert.Contains(t, check(t, r, s.Files.CA, "CA").Says, `PEM: "CN=comettest CA", valid until `)
	assert.Contains(t, check(t, r, s.Files.Cert, "identity").Says, `"CN=caller", valid until `)
	for i := range r.Heads {
		assert.Equal(t, 1, heads.Calls(i, "enumerateScope"))
		assert.Equal(t, heads.Calls(i, "getVersion")+1, heads.Calls(i, ""), "nothing else is asked")
	}
}

func TestStoppedHeads(t *testing.T) {
	heads := comettest.Start(t, 2)
	s := of(t, heads)
	heads.Stop(0)
	r := examine(t, s)
	refused := check(t, r, heads.URL(0), "connect")
	assert.Equal(t, doctor.Problem, refused.State)
	assert.Contains(t, refused.Says, "connection refused")
	assert.Equal(t, doctor.OK, check(t, r, heads.URL(1), "version").State)
	for _, kind := range []error{doctor.ErrConfiguration, comet.ErrUnauthorized, comet.ErrUnavailable} {
		require.NotErrorIs(t, r.Err(), kind, "one head is well")
	}
	require.EqualError(t, r.Err(), "1 problem found")

	heads.Stop(1)
	r = examine(t, s)
	require.ErrorIs(t, r.Err(), comet.ErrUnavailable)
	require.EqualError(t, r.Err(), "2 problems found")
}

func TestHeadsThatDoNotAnswer(t *testing.T) {
	heads := comettest.Start(t, 2)
	s := of(t, heads)
	s.Step = shortly
	heads.Set(0, comettest.Hang())
	r := examine(t, s)
	assert.Equal(t, doctor.OK, check(t, r, heads.URL(0), "tls").State)
	hanging := check(t, r, heads.URL(0), "version")
	assert.Equal(t, doctor.Check{About: heads.URL(0), Step: "version", State: doctor.Problem, Says: "no answer in time",
		DoThis: "the head takes connections and does not answer: look into its log, and start it again"}, hanging)
	assert.Equal(t, doctor.OK, check(t, r, heads.URL(1), "latency").State)

	heads.Set(1, comettest.Page(503))
	r = examine(t, s)
	assert.Contains(t, check(t, r, heads.URL(1), "version").Says, "HTTP 503")
	require.ErrorIs(t, r.Err(), comet.ErrUnavailable)

	heads.Set(1, comettest.Answer(404, "application/json", `{"message":"no such page"}`))
	assert.Equal(t, "HTTP 404; it does not say what it is", check(t, examine(t, s), heads.URL(1), "version").Says)
}

// A head may know its version while its store is gone.
func TestHeadsWhoseStoreIsGone(t *testing.T) {
	heads := comettest.Start(t, 2)
	s := of(t, heads)
	s.Step = shortly
	heads.Set(0, comettest.Status(503).On("enumerateScope"))
	heads.Set(1, comettest.Hang().On("enumerateScope"))
	r := examine(t, s)
	for i, says := range []string{"HTTP 503", "no answer in time"} {
		assert.Equal(t, doctor.OK, check(t, r, heads.URL(i), "version").State)
		store := check(t, r, heads.URL(i), "store")
		assert.Equal(t, doctor.Problem, store.State)
		assert.Equal(t, "listing entries fails: "+says, store.Says)
		assert.Equal(t, "the head answers, its store does not: look into the head's log and its store", store.DoThis)
	}
	require.ErrorIs(t, r.Err(), comet.ErrUnavailable)

	heads.Set(0)
	r = examine(t, s)
	assert.Regexp(t, `^answers in [0-9.]+ ms$`, check(t, r, heads.URL(0), "store").Says)
	require.NotErrorIs(t, r.Err(), comet.ErrUnavailable, "one head is well")
}

// A service that takes connections and says nothing, and one that is not TLS.
func TestNoTLS(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	deaf, garbled := "https://"+silent.Addr().String(), strings.Replace(plain.URL, "http", "https", 1)
	r := examine(t, doctor.Subject{Heads: deaf + "," + garbled, Files: files(t, []*tlsconfig.Authority{newAuthority(t, "CA")}, nil), Step: shortly})
	assert.Contains(t, check(t, r, deaf, "handshake").Says, "does not answer the TLS handshake in time")
	assert.Contains(t, check(t, r, garbled, "handshake").Says, "does not speak TLS")
	require.ErrorIs(t, r.Err(), comet.ErrUnavailable)
}

func TestHeadsWeDoNotTrust(t *testing.T) {
	heads := comettest.Start(t, 1)
	s := of(t, heads)
	address := strings.TrimPrefix(heads.URL(0), "https://")
	issue := func(a *tlsconfig.Authority, template tlsconfig.Template) tls.Certificate {
		identity, err := a.Issue(template)
		require.NoError(t, err)
		return identity
	}
	ours, now := heads.Authority(), time.Now()
	loopback := []string{"127.0.0.1"}
	for name, c := range map[string]struct {
		shown        tls.Certificate
		says, doThis []string
	}{
		"expired": {
			issue(ours, tlsconfig.Template{CommonName: "old", Hosts: loopback, Server: true, NotBefore: now.Add(-96 * time.Hour), NotAfter: now.Add(-73 * time.Hour)}),
			[]string{`"CN=old" expired `, ", 3 days ago by our clock"}, []string{"renewed", "clock"},
		},
		"not yet valid": {
			issue(ours, tlsconfig.Template{CommonName: "new", Hosts: loopback, Server: true, NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}),
			[]string{`"CN=new" not valid before `}, []string{"clock"},
		},
		"foreign": {
			issue(newAuthority(t, "foreign CA"), tlsconfig.Template{CommonName: "x", Hosts: loopback, Server: true}),
			[]string{"unknown authority", `"CN=foreign CA"`, s.Files.CA}, []string{"--cacert"},
		},
		"foreign of the same name": {
			issue(newAuthority(t, "comettest CA"), tlsconfig.Template{CommonName: "x", Hosts: loopback, Server: true}),
			[]string{"unknown authority", "there is a CA of that name in it, with another key", "candidate authority certificate"}, []string{"--cacert"},
		},
		"other name": {
			issue(ours, tlsconfig.Template{CommonName: "x", Hosts: []string{"head.example.net", "www.example.net"}, Server: true}),
			[]string{"its certificate is for head.example.net, www.example.net, not for 127.0.0.1"},
			[]string{"--server-name " + address + "=head.example.net", "--any-server-name"},
		},
		"no name": {
			issue(ours, tlsconfig.Template{CommonName: "head.example.net", Server: true}),
			[]string{`common name "head.example.net"`, "names no host"}, []string{"subject alternative names"},
		},
		"not a server's": {
			issue(ours, tlsconfig.Template{CommonName: "x", Hosts: loopback, Client: true}),
			[]string{"is not one for a server"}, []string{"server authentication"},
		},
		"odd": {
			issue(newAuthority(t, "CA \x1b[31m"), tlsconfig.Template{CommonName: "x\ny", Hosts: loopback, Server: true}),
			[]string{"unknown authority"}, []string{"--cacert"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			heads.Present(0, c.shown)
			r := examine(t, s)
			failed := check(t, r, heads.URL(0), "tls")
			assert.Equal(t, doctor.Problem, failed.State)
			for _, part := range c.says {
				assert.Contains(t, failed.Says, part)
			}
			for _, part := range c.doThis {
				assert.Contains(t, failed.DoThis, part)
			}
			assert.Contains(t, check(t, r, heads.URL(0), "certificate").Says, "issued by")
			assert.Equal(t, "agrees with ours to a few seconds (the head is not verified)", check(t, r, heads.URL(0), "clock").Says)
			assert.NotContains(t, failed.Says, "\x1b")
			require.ErrorIs(t, r.Err(), comet.ErrUnauthorized)
		})
	}
}

func TestWhichRuleLetAHeadPass(t *testing.T) {
	heads := comettest.Start(t, 1)
	s := of(t, heads)
	identity, err := heads.Authority().Server("x", "head.example.net")
	require.NoError(t, err)
	heads.Present(0, identity)
	accept, err := tlsconfig.ParseNames([]string{"*.example.net"})
	require.NoError(t, err)
	for _, c := range []struct {
		names         tlsconfig.Names
		rule          doctor.State
		state         doctor.State
		says, ruleSay string
	}{
		{tlsconfig.Names{Accept: accept}, doctor.OK, doctor.OK, "accepted by --server-name (*.example.net)", "as --server-name says"},
		{tlsconfig.Names{Any: true}, doctor.Warning, doctor.OK, "any name will do", "any name under the CA"},
		{tlsconfig.Names{Insecure: true}, doctor.Warning, doctor.Warning, "not verified, as --insecure says", "not verified at all"},
	} {
		s.Names = c.names
		r := examine(t, s)
		require.NoError(t, r.Err())
		assert.Equal(t, c.state, check(t, r, heads.URL(0), "tls").State)
		assert.Contains(t, check(t, r, heads.URL(0), "tls").Says, c.says)
		assert.Equal(t, c.rule, check(t, r, "names", "names").State)
		assert.Contains(t, check(t, r, "names", "names").Says, c.ruleSay)
		for _, other := range r.Checks {
			assert.NotEqual(t, "files", other.Step, "said once: %s", other.Says)
		}
	}
}

// With TLS 1.3 the head's refusal comes after the handshake.
func TestOurCertificateIsRefused(t *testing.T) {
	heads := comettest.Start(t, 1)
	foreign, err := newAuthority(t, "another CA").Client("caller")
	require.NoError(t, err)
	r := examine(t, doctor.Subject{Heads: heads.List(), Files: files(t, []*tlsconfig.Authority{heads.Authority()}, &foreign)})
	refused := check(t, r, heads.URL(0), "tls")
	assert.Contains(t, refused.Says, "the head ended the connection over our certificate: ")
	assert.Contains(t, refused.DoThis, `have the head trust "CN=another CA", which issued our "CN=caller"`)
	require.ErrorIs(t, r.Err(), comet.ErrUnauthorized)
}

func TestWithoutACertificateOfOurs(t *testing.T) {
	heads := comettest.Start(t, 1)
	r := examine(t, doctor.Subject{Heads: heads.List(), Files: files(t, []*tlsconfig.Authority{heads.Authority()}, nil)})
	require.NoError(t, r.Err())
	none := check(t, r, heads.URL(0), "our certificate")
	assert.Equal(t, doctor.Warning, none.State)
	assert.Contains(t, none.DoThis, "--keystore")
}

func TestHeadsOfDifferentStores(t *testing.T) {
	one, other := comettest.Start(t, 2), comettest.Start(t, 1)
	r := examine(t, doctor.Subject{
		Heads: one.List() + "," + other.List(),
		Files: files(t, []*tlsconfig.Authority{one.Authority(), other.Authority()}, nil),
	})
	differ := check(t, r, doctor.AllHeads, "store")
	assert.Equal(t, doctor.Problem, differ.State)
	assert.Contains(t, differ.Says, one.URL(0)+", "+one.URL(1)+"; store ")
	assert.Contains(t, differ.DoThis, "--data")
	require.EqualError(t, r.Err(), "1 problem found")
	require.NotErrorIs(t, r.Err(), doctor.ErrConfiguration)
}

const deployed = `{"status":"OK","message":"success","value":{"Comet version":"1.0.5","Comet API version":"1.0.0"},"version":"1.0.5"}`

func TestDeployedHeadsBesideOurs(t *testing.T) {
	heads := comettest.Start(t, 2)
	s := of(t, heads)
	heads.Set(0, comettest.Answer(200, "application/json", deployed).On("getVersion"))
	r := examine(t, s)
	assert.Contains(t, check(t, r, doctor.AllHeads, "store").Says, "without identity")
	require.Error(t, r.Err())

	heads.Set(1, comettest.Answer(200, "application/json", deployed).On("getVersion"))
	r = examine(t, s)
	require.NoError(t, r.Err())
	assert.Equal(t, "deployed heads do not say which store they serve", check(t, r, doctor.AllHeads, "store").Says)
}

// serve starts a head of the test's own making under a certificate of the authority.
func serve(t *testing.T, a *tlsconfig.Authority, h http.HandlerFunc) *httptest.Server {
	identity, err := a.Server("head", "127.0.0.1")
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = tlsconfig.Server(identity, []*x509.Certificate{a.Certificate()})
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestClocks(t *testing.T) {
	a := newAuthority(t, "CA")
	answer := func(date string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = nil
			if date != "" {
				w.Header().Set("Date", date)
			}
			io.WriteString(w, deployed)
		}
	}
	ahead := serve(t, a, answer(time.Now().Add(2*time.Hour).UTC().Format(http.TimeFormat)))
	behind := serve(t, a, answer(time.Now().Add(-48*time.Hour).UTC().Format(http.TimeFormat)))
	dateless := serve(t, a, answer(""))
	r := examine(t, doctor.Subject{
		Heads: ahead.URL + "," + behind.URL + "," + dateless.URL, Files: files(t, []*tlsconfig.Authority{a}, nil),
	})
	require.NoError(t, r.Err(), "a warning")
	for head, says := range map[string]string{
		ahead.URL: "about 2h0m", behind.URL: "behind ours; whether certificates are valid depends on it", dateless.URL: "has no date",
	} {
		c := check(t, r, head, "clock")
		assert.Equal(t, doctor.Warning, c.State)
		assert.Contains(t, c.Says, says)
	}
	assert.Contains(t, check(t, r, ahead.URL, "clock").DoThis, "NTP")
}

func TestHeadsWithoutTLS(t *testing.T) {
	head := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, deployed) }))
	defer head.Close()
	r := examine(t, doctor.Subject{Heads: head.URL})
	assert.Equal(t, doctor.Problem, check(t, r, head.URL, "url").State)
	assert.Equal(t, doctor.OK, check(t, r, head.URL, "version").State)
	require.ErrorIs(t, r.Err(), doctor.ErrConfiguration)

	r = examine(t, doctor.Subject{Heads: head.URL, Names: tlsconfig.Names{Insecure: true}})
	require.NoError(t, r.Err())
	assert.Equal(t, doctor.Warning, check(t, r, head.URL, "url").State)

	secure := strings.Replace(comettest.Start(t, 1).URL(0), "https", "http", 1)
	r = examine(t, doctor.Subject{Heads: secure, Names: tlsconfig.Names{Insecure: true}})
	assert.Contains(t, check(t, r, secure, "version").DoThis, "name it with https://")
}
