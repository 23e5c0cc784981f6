package comet

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-resty/resty/v2"
)

// link is the connections to one head, and the builder of requests over them. Connections go when they are suspect: when one broke
// or hung, since then the idle ones may be dead as well, and when certificates changed. Safe for concurrent use.
type link struct {
	make func() *http.Transport

	mu      sync.Mutex
	now     *generation
	retired []*generation
}

// generation is connections that were made under the same certificates, and that go together. The link's lock guards users.
type generation struct {
	*resty.Client
	users int // calls under way
}

func (g *generation) closeIdle() { g.GetClient().CloseIdleConnections() }

func newLink(make func() *http.Transport) *link {
	return &link{make: make, now: &generation{Client: newResty(make())}}
}

// acquire returns what to send the next request with, to be released when all of the answer is there.
func (l *link) acquire() *generation {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.users++
	return l.now
}

func (l *link) release(used *generation, closed func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if used.users--; used != l.now || closed() {
		used.closeIdle()
	}
}

// renew gives up the connections that used has, or of the present where it is nil, unless others have done so already.
func (l *link) renew(used *generation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if used != nil && used != l.now {
		return
	}
	l.retired = append(l.retired, l.now)
	l.now = &generation{Client: newResty(l.make())}
	l.closeRetired()
	for len(l.retired) > maxRetired && l.retired[0].users == 0 {
		l.retired = l.retired[1:]
	}
}

// maxRetired is how many generations without calls are closed again later: with HTTP/2 a connection is idle only a moment after its
// last call has ended.
const maxRetired = 4

func (l *link) closeRetired() {
	for _, r := range l.retired {
		r.closeIdle()
	}
}

// close gives up all connections that no call uses.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeRetired()
	l.now.closeIdle()
}

// Connections are few and long-lived: a handshake costs fifteen to thirty times a request.
const (
	idlePerHead  = 32
	idleTime     = 90 * time.Second
	keepAlive    = 15 * time.Second
	headerLimit  = 64 << 10
	sessionCache = 8
)

// transport makes the transport for one head: a head has its own trust and its own connections.
func (c *Client) transport(url string) *http.Transport {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		// Half of an attempt for all of a head's addresses together, so that the second is tried where the first is dead.
		DialContext:            (&net.Dialer{KeepAlive: keepAlive, Timeout: c.attempt / 2}).DialContext,
		TLSHandshakeTimeout:    c.attempt,
		MaxIdleConnsPerHost:    idlePerHead,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: headerLimit,
		DisableCompression:     true, // a proxy that compresses changes tags
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	if c.http2 {
		t.Protocols.SetHTTP2(true)
		// Without pings a dead connection is used for ever; found within an attempt, it costs one call.
		t.HTTP2 = &http.HTTP2Config{SendPingTimeout: c.attempt / 4, PingTimeout: c.attempt / 4}
	}
	if config := c.tlsFor(hostPort(url)); config != nil {
		t.TLSClientConfig = config.Clone()
		if t.TLSClientConfig.ClientSessionCache == nil {
			t.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(sessionCache)
		}
	}
	return t
}

// newResty makes the request builder. Everything that decides where and how often a request goes is ours, so its retries,
// redirects and its logger, which would print URLs with tokens, are off.
func newResty(t *http.Transport) *resty.Client {
	return resty.NewWithClient(&http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).SetRetryCount(0).SetLogger(silent{}).SetHeader("User-Agent", "comet-go")
}

type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}
