package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/scope"
)

// ErrNoHead is why Dial finds nobody: no head is running on the store.
var ErrNoHead = errors.New("no head runs on the store")

// errCut is what a head that ends leaves behind.
var errCut = errors.New("the head has ended, or cut it off")

// Client asks the head that has a store.
type Client struct {
	http http.Client
}

var _ Store = (*Client)(nil)

// Dial finds the head that runs on the store in the folder dir. Where there is none, whatever the folder is, the error is ErrNoHead.
// The caller closes the client.
func Dial(ctx context.Context, dir string) (*Client, error) {
	connect := func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		err = within(dir, func(path string) error {
			conn, err = new(net.Dialer).DialContext(ctx, "unix", path)
			return err
		})
		return conn, err
	}
	conn, err := connect(ctx, "", "")
	switch {
	case err == nil:
		conn.Close()
	case gone(err):
		return nil, ErrNoHead
	default:
		return nil, fmt.Errorf("ask the head that runs on the store: %w", err)
	}
	return &Client{http.Client{Transport: &http.Transport{DialContext: connect, DisableCompression: true}}}, nil
}

// Close ends the connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Backup writes a backup of the head's store.
func (c *Client) Backup(ctx context.Context, w io.Writer) error { return c.stream(ctx, "/backup", w) }

// Export writes an export of the head's store.
func (c *Client) Export(ctx context.Context, w io.Writer) error { return c.stream(ctx, "/export", w) }

// Groups lists what the head's store holds.
func (c *Client) Groups(ctx context.Context) ([]contents.Group, error) {
	var groups []contents.Group
	if err := c.ask(ctx, http.MethodGet, "/groups", &groups); err != nil {
		return nil, err
	}
	return groups, nil
}

// Purge removes a context from the head's store.
func (c *Client) Purge(ctx context.Context, id scope.ContextID, unchangedSince time.Time) (removed int, err error) {
	q := url.Values{"context": {id.String()}, "unchangedSince": {unchangedSince.Format(time.RFC3339Nano)}}
	err = c.ask(ctx, http.MethodPost, "/purge?"+q.Encode(), &removed)
	return removed, err
}

func (c *Client) ask(ctx context.Context, method, what string, into any) error {
	r, err := c.do(ctx, method, what)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return fmt.Errorf("answer of the head: %w", err)
	}
	return nil
}

func (c *Client) stream(ctx context.Context, what string, w io.Writer) error {
	r, err := c.do(ctx, http.MethodGet, what)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	_, err = io.Copy(w, r.Body)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errCut
	case err != nil:
		return err
	case r.Trailer.Get(trailerError) != "":
		return errors.New(printable(r.Trailer.Get(trailerError)))
	case r.Trailer.Get(trailerDone) == "":
		return errCut
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, what string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://head"+what, nil)
	if err != nil {
		return nil, err
	}
	r, err := c.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("ask the head: %w", errors.Unwrap(err))
	}
	if r.StatusCode != http.StatusOK {
		defer r.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(r.Body, 4096))
		return nil, fmt.Errorf("the head says: %s", printable(string(text)))
	}
	return r, nil
}

// printable makes one line of what may be a page.
func printable(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text))
}
