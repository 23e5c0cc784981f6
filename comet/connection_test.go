package comet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// Connections that a firewall has forgotten take a request and never answer. All that were idle are as dead: one attempt finds out.
func TestDeadConnectionsCostOneAttempt(t *testing.T) {
	for name, options := range map[string][]comet.Option{"HTTP/1.1": nil, "HTTP/2": {comet.WithHTTP2()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heads := comettest.Start(t, 1)
			seen := &attempts{}
			client := heads.Client(append(options, comet.WithAttemptTimeout(2*shortly), comet.WithObserver(seen.observe))...)
			_, err := client.Write(t.Context(), testName, testTokens, testValue)
			require.NoError(t, err)
			heads.Set(0, comettest.Delay(50*time.Millisecond)) // so that each has a connection of its own
			read := func(ctx context.Context, _ int) error {
				_, err := client.Read(ctx, testName, testTokens.Read)
				return err
			}
			require.NoError(t, comet.Each(t.Context(), make([]int, 8), comet.Bulk{Parallel: 8}, read))
			heads.Set(0)

			heads.Freeze(0)
			seen.take()
			for range 8 {
				require.NoError(t, read(t.Context(), 0))
			}
			var classes []comet.Class
			for _, a := range seen.take() {
				if a.Op == "read" {
					classes = append(classes, a.Class)
				}
			}
			require.Len(t, classes, 9)
			assert.NotEqual(t, comet.ClassOK, classes[0])
			for _, c := range classes[1:] {
				assert.Equal(t, comet.ClassOK, c)
			}
		})
	}
}

func TestAHeadThatAcceptsAndSaysNothingIsLeft(t *testing.T) {
	heads := comettest.Start(t, 2)
	heads.Mute(0)
	for range 4 { // of clients that begin with either head
		client := heads.Client(comet.WithAttemptTimeout(shortly))
		_, err := client.Write(t.Context(), testName, testTokens, testValue)
		require.NoError(t, err)
	}
	assert.Zero(t, heads.Calls(0, ""))
}

// changing is trust that the test changes. Where it is silent it does not say so.
type changing struct {
	mu      sync.Mutex
	config  *tls.Config
	changed chan struct{}
}

func (c *changing) Client(string) *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.config.Clone()
}

func (c *changing) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *changing) change(config *tls.Config, silent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.config = config
	if !silent {
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

func trusting(t *testing.T, heads *comettest.Heads, config *tls.Config, options ...comet.Option) (*changing, *comet.Client) {
	trust := &changing{config: config, changed: make(chan struct{})}
	client, err := comet.New(heads.List(), nil, append(options, comet.WithTrust(trust))...)
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return trust, client
}

// A connection that is always busy would keep the certificate it was made with for ever.
func TestConnectionsGoWhenCertificatesChange(t *testing.T) {
	heads := comettest.Start(t, 1)
	trust, client := trusting(t, heads, heads.TLS())
	read := func() {
		_, err := client.Version(t.Context())
		require.NoError(t, err)
	}
	read()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for before := heads.Handshakes(0); heads.Handshakes(0) == before; {
		require.NoError(t, ctx.Err(), "the connection is still that of the old certificate")
		trust.change(heads.TLS(), false) // again, since nobody may have been listening
		read()
	}
}

func TestReconnect(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client()
	for n := range 3 {
		for range 2 {
			_, err := client.Version(t.Context())
			require.NoError(t, err)
		}
		assert.Equal(t, n+1, heads.Handshakes(0))
		client.Reconnect()
	}
}

// The certificate was renewed a moment ago and the client has not heard of it: what is refused on an old connection is asked once
// more on a new one.
func TestARefusedCertificateIsTriedOnANewConnection(t *testing.T) {
	heads := comettest.Start(t, 1)
	_, err := heads.Client().Write(t.Context(), testName, testTokens, testValue)
	require.NoError(t, err)
	for name, change := range map[string]func(*comet.Client) error{
		"delete": func(c *comet.Client) error { return c.Delete(t.Context(), testName, testTokens) },
		"create": func(c *comet.Client) error {
			return c.Create(t.Context(), scope.MustName("s", "hostsall", "new"), testTokens, testValue)
		},
	} {
		trust, client := trusting(t, heads, tlsconfig.Client(heads.Roots(), nil))
		require.ErrorIs(t, change(client), comet.ErrUnauthorized, name)
		trust.change(heads.TLS(), true)
		require.NoError(t, change(client), name)
	}
}

func TestAClosedClientSaysSo(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client()
	_, err := client.Version(t.Context())
	require.NoError(t, err)
	require.NoError(t, client.Close())
	require.NoError(t, client.Close())
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.ErrorIs(t, err, comet.ErrClosed)
	require.NotErrorIs(t, err, comet.ErrUnavailable)
	_, err = client.Write(t.Context(), testName, testTokens, testValue)
	require.ErrorIs(t, err, comet.ErrClosed)
	before := heads.Calls(0, "")
	require.ErrorIs(t, client.Create(t.Context(), testName, testTokens, testValue), comet.ErrClosed)
	require.ErrorIs(t, client.WriteMany(t.Context(), itemsOf(3), comet.Bulk{}), comet.ErrClosed)
	require.ErrorIs(t, client.Versions(t.Context())[0].Err, comet.ErrClosed)
	assert.Equal(t, before, heads.Calls(0, ""), "nobody is asked any more")
}

// With HTTP/2 as well, no connection outlives the client, whatever was refused meanwhile; TestMain looks for what is left.
func TestCloseLeavesNoConnection(t *testing.T) {
	for _, options := range [][]comet.Option{nil, {comet.WithHTTP2()}} {
		heads := comettest.Start(t, 1)
		_, client := trusting(t, heads, tlsconfig.Client(heads.Roots(), nil), options...)
		heads.Set(0, comettest.Delay(2*shortly).On("readScope"))
		var reading sync.WaitGroup
		reading.Go(func() {
			_, err := client.Read(t.Context(), testName, testTokens.Read)
			assert.ErrorIs(t, err, comet.ErrNotFound)
		})
		heads.Await(t.Context(), 0, "readScope", 1)
		for range 8 {
			_, err := client.Write(t.Context(), testName, testTokens, testValue)
			require.ErrorIs(t, err, comet.ErrUnauthorized)
		}
		reading.Wait()
		require.NoError(t, client.Close())
	}
}

// net/http quotes what a head sends in place of HTTP, and this one repeats what it was sent.
func TestWhatIsNotHTTPIsNotRepeated(t *testing.T) {
	for _, options := range [][]server.Option{nil, {server.WithoutExtensions()}} {
		var log bytes.Buffer
		heads := comettest.Start(t, 1, options...)
		client := heads.Client(comet.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		_, err := client.Version(t.Context())
		require.NoError(t, err)
		heads.Set(0, comettest.Garble().On("readScope"))
		far := scope.MustName(strings.Repeat("far", 300), "f", "k") // the tokens stand behind it
		for _, name := range []scope.Name{testName, far} {
			_, err = client.Read(t.Context(), name, testTokens.Read)
			require.ErrorIs(t, err, comet.ErrUnavailable)
			assert.Contains(t, err.Error(), "not HTTP")
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", err, err, err, log.String()), "Planted")
		}
	}
}

func TestWhenBothHeadsHangTheErrorNamesBothInTime(t *testing.T) {
	heads, client, first, second := used(t)
	heads.Set(first, comettest.Hang())
	heads.Set(second, comettest.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 2*shortly)
	defer cancel()
	_, err := client.Read(ctx, testName, testTokens.Read)
	require.ErrorIs(t, err, comet.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Contains(t, err.Error(), heads.URL(first)+": no answer in time")
	assert.Contains(t, err.Error(), heads.URL(second)+": no answer in time")
}

func TestAHeadWithoutTLSBehindHTTPSIsNotAQuestionOfTrust(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	seen := &attempts{}
	client, err := comet.New(strings.Replace(plain.URL, "http:", "https:", 1), tlsconfig.Client(nil, nil), comet.WithObserver(seen.observe))
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Version(t.Context())
	require.ErrorIs(t, err, comet.ErrUnavailable)
	require.NotErrorIs(t, err, comet.ErrUnauthorized)
	assert.Equal(t, comet.ClassConnect, seen.take()[0].Class)
}

func TestNewRefusesWhatMakesNoSense(t *testing.T) {
	config := tlsconfig.Client(nil, nil)
	const head = "https://a:8111/"
	for says, give := range map[string]func() (*comet.Client, error){
		"no head":                 func() (*comet.Client, error) { return comet.New(" , ", config) },
		"given as nil":            func() (*comet.Client, error) { return comet.New(head, config, comet.WithLogger(nil)) },
		"an option is given":      func() (*comet.Client, error) { return comet.New(head, config, comet.WithObserver(nil)) },
		"as nil":                  func() (*comet.Client, error) { return comet.New(head, nil, comet.WithTrust(nil)) },
		"time of an attempt":      func() (*comet.Client, error) { return comet.New(head, config, comet.WithAttemptTimeout(0)) },
		"rest is not positive":    func() (*comet.Client, error) { return comet.New(head, config, comet.WithRest(0, 0)) },
		"its most is less":        func() (*comet.Client, error) { return comet.New(head, config, comet.WithRest(2, 1)) },
		"limit of answers":        func() (*comet.Client, error) { return comet.New(head, config, comet.WithAnswerLimit(0)) },
		"http://a:8111 has no TL": func() (*comet.Client, error) { return comet.New("http://a:8111/", config) },
		"nothing says whom":       func() (*comet.Client, error) { return comet.New(head, nil) },
		"no port":                 func() (*comet.Client, error) { return comet.New("https://a:0/", config) },
		"has a zone":              func() (*comet.Client, error) { return comet.New("https://[fe80::1%25eth0]:8111/", config) },
	} {
		_, err := give()
		require.ErrorIs(t, err, comet.ErrInvalid, says)
		assert.Contains(t, err.Error(), says)
	}
}
