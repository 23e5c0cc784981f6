package comet

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// Client speaks to the heads of one store. Safe for concurrent use.
type Client struct {
	settings
	urls    []string // as given
	pool    *pool
	links   map[string]*link // per head
	latency latency
	updates locks[scope.Name]

	background context.Context // ends with Close
	end        context.CancelFunc
	running    sync.WaitGroup // probes, and the wait for renewed certificates
	closing    sync.Mutex     // held while something starts in the background, so that nothing does after Close
}

// New returns a client of the heads in the list (see ParseHeads). It does not connect: a head that is away is found out by the
// first call. config is cloned; it may be nil where WithTrust, WithTLSFor or WithoutTLS is used, and the package tlsconfig makes
// such configurations. The error, which matches ErrInvalid, names the head or the option that makes no sense.
func New(heads string, config *tls.Config, options ...Option) (*Client, error) {
	urls, err := ParseHeads(heads)
	if err != nil {
		return nil, invalid("client", err)
	}
	c := &Client{settings: defaults(config), urls: urls, links: map[string]*link{}}
	for _, o := range options {
		o(&c.settings)
	}
	if err := c.check(urls); err != nil {
		return nil, invalid("client", err)
	}
	c.background, c.end = context.WithCancel(context.Background())
	c.pool = newPool(urls, c.restMin, c.restMax)
	for _, u := range urls {
		c.links[u] = newLink(func() *http.Transport { return c.transport(u) })
	}
	if c.trust != nil {
		c.start(c.followTrust)
	}
	return c, nil
}

// Heads returns the heads' base URLs in the order in which they were given.
func (c *Client) Heads() []string { return slices.Clone(c.urls) }

// Close ends what runs in the background and closes idle connections. Calls that are under way end in their own time, later ones
// with ErrClosed. It may be called more than once and always returns nil.
func (c *Client) Close() error {
	c.closing.Lock()
	c.end()
	c.closing.Unlock()
	c.running.Wait()
	c.closeLinks()
	return nil
}

func (c *Client) closeLinks() {
	for _, l := range c.links {
		l.close()
	}
}

// Reconnect has later calls look up the heads' names and make their connections anew, as after a change of the network; those under way
// end on the connections that they have.
func (c *Client) Reconnect() {
	for _, l := range c.links {
		l.renew(nil)
	}
}

func (c *Client) isClosed() bool { return c.background.Err() != nil }

// start runs f in the background, unless the client is closed.
func (c *Client) start(f func()) {
	c.closing.Lock()
	defer c.closing.Unlock()
	if !c.isClosed() {
		c.running.Go(f)
	}
}

// followTrust gives up connections when certificates change: they were made under the old ones, and a busy one would stay for ever.
func (c *Client) followTrust() {
	for changed := c.trust.Changed(); ; {
		select {
		case <-changed:
			changed = c.trust.Changed() // before the renewal, so that none is missed that comes during it
			c.Reconnect()
		case <-c.background.Done():
			return
		}
	}
}

// probe asks resting heads whose time has come how they are, beside the callers.
func (c *Client) probe() {
	for _, h := range c.pool.toProbe(time.Now()) {
		c.start(func() { c.probeHead(h) })
	}
}

func (c *Client) probeHead(h *head) {
	defer c.pool.probed(h)
	ctx, cancel := context.WithTimeout(c.background, c.attempt)
	defer cancel()
	switch _, r := c.askVersion(ctx, h, true); {
	case c.isClosed():
	case r.err != nil:
		c.note(h, r.err)
	case c.pool.returns(h):
		c.logger.Info("head may be back", slog.String("head", h.url))
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
