package comet

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-resty/resty/v2"
)

// Client speaks to the heads of one store. Safe for concurrent use.
type Client struct {
	settings
	urls  []string // as given
	pool  *pool
	rests map[string]*resty.Client // per head

	background context.Context // ends with Close
	end        context.CancelFunc
	probes     sync.WaitGroup
	closing    sync.Mutex // held while a probe starts, so that none does after Close
	closed     bool
	latency    latency
}

// New returns a client of the heads in the list (see ParseHeads). It does not connect: a head that is away is found out by the
// first call. config is cloned and may be nil for heads given with http://, or where WithTLSFor is used; the package tlsconfig
// makes such configurations. The error names the head that makes no sense.
func New(heads string, config *tls.Config, options ...Option) (*Client, error) {
	urls, err := ParseHeads(heads)
	if err != nil {
		return nil, invalid("client", err)
	}
	c := &Client{settings: defaults(config), urls: urls, rests: map[string]*resty.Client{}}
	for _, o := range options {
		o(&c.settings)
	}
	c.background, c.end = context.WithCancel(context.Background())
	c.pool = newPool(urls, c.restMin, c.restMax)
	for _, u := range urls {
		c.rests[u] = newResty(c.transport(u))
	}
	return c, nil
}

// Heads returns the heads' base URLs in the order in which they were given.
func (c *Client) Heads() []string { return slices.Clone(c.urls) }

// Close ends what runs in the background and closes idle connections. Calls that are under way end with an error or in their own
// time. It may be called more than once and always returns nil.
func (c *Client) Close() error {
	c.closing.Lock()
	c.closed = true
	c.closing.Unlock()
	c.end()
	c.probes.Wait()
	for _, r := range c.rests {
		r.GetClient().CloseIdleConnections()
	}
	return nil
}

// Connections are few and long-lived: a handshake costs fifteen to thirty times a request.
const (
	idlePerHead  = 32
	idleTime     = 90 * time.Second
	pingAfter    = 10 * time.Second // HTTP/2: without pings a dead connection is used for ever
	pingWait     = 5 * time.Second
	keepAlive    = 15 * time.Second
	headerLimit  = 64 << 10
	sessionCache = 8
)

// transport makes the transport for one head: a head has its own trust and its own connections.
func (c *Client) transport(url string) *http.Transport {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{KeepAlive: keepAlive}).DialContext,
		MaxIdleConnsPerHost:    idlePerHead,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: headerLimit,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	if c.http2 {
		t.Protocols.SetHTTP2(true)
		t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWait}
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

// probe asks resting heads whose time has come how they are, beside the callers.
func (c *Client) probe() {
	for _, h := range c.pool.toProbe(time.Now()) {
		c.closing.Lock()
		if !c.closed {
			c.probes.Go(func() { c.probeHead(h) })
		}
		c.closing.Unlock()
	}
}

func (c *Client) probeHead(h *head) {
	defer c.pool.probed(h)
	ctx, cancel := context.WithTimeout(c.background, c.attempt)
	defer cancel()
	_, failure := c.learn(ctx, h, true)
	if c.background.Err() == nil {
		c.note(h, failure)
	}
}

// note tells the pool, and the log, how an attempt left a head.
func (c *Client) note(h *head, failure *Error) {
	if failure == nil {
		if c.pool.works(h) {
			c.logger.Info("head is back", slog.String("head", h.url))
		}
		return
	}
	if c.pool.fails(h, time.Now()) {
		c.logger.Warn("head is left", slog.String("head", h.url), slog.String("because", failure.reason()))
	}
}
