package comet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/renci-nrig/comet-go/scope"
)

// digest stands for an answer that went well.
type digest = [sha256.Size]byte

// result is what came of one attempt.
type result struct {
	value    json.RawMessage
	parsed   any // what the call's parse made of the value; nil where the answer is the one that the call knows
	digest   digest
	err      *Error
	verdict  verdict
	arrived  bool // the head may have carried it out
	answered bool // there was a whole HTTP answer
	twice    bool // the transport sent it again after a kept connection had broken: it may have been carried out before
	wait     time.Duration
	tag      string
	late     bool // there was no whole answer in time
	from     *head
	over     *generation
}

// read makes sense of the answer. One that has none is the head's fault: another one may do better.
func (r *result) read(parse func(json.RawMessage) (any, *Error)) {
	if r.parsed, r.err = parse(r.value); r.err != nil && r.err.Kind != ErrNotFound {
		r.verdict = failed
	}
}

// send makes one request to one head and judges the answer. It never logs, nor returns, the request's URL.
func (c *Client) send(ctx context.Context, head string, call call, probe bool) result {
	if c.isClosed() {
		return result{verdict: elsewhere, err: &Error{Op: call.op, Entry: call.entry(), Head: head, Err: ErrClosed}}
	}
	start := time.Now()
	progress := &progress{}
	status := 0
	used := c.links[head].acquire()
	defer c.links[head].release(used, c.isClosed)
	a, err := c.request(progress.trace(ctx), used.Client, head, call)
	var r result
	if err != nil {
		r = progress.failure(ctx, err, call.secrets())
		if progress.failed == ClassTimeout || progress.failed == ClassBroken {
			c.links[head].renew(used) // its other connections may be as dead
		}
	} else {
		status = a.status
		r.judge(call, a)
		r.arrived, r.answered, r.twice, r.tag = true, true, progress.sent.Load() > 1, a.tag
		if r.verdict == later || a.retryAfter != "" {
			r.wait = retryAfter(a.retryAfter, time.Now())
		}
	}
	r.over = used
	if r.err != nil {
		r.err.Op, r.err.Entry, r.err.Head, r.err.wait = call.op, call.entry(), head, r.wait
	}
	if c.hedge > 0 && r.verdict == settled && call.hedgeable() {
		c.latency.note(time.Since(start))
	}
	c.report(Attempt{Op: call.op, Head: head, Status: status, Duration: time.Since(start), Class: progress.class(r), Probe: probe})
	return r
}

// judge reads an answer, unless it is the one that the call knows.
func (r *result) judge(call call, a answer) {
	if call.before != nil {
		if r.digest = sha256.Sum256(a.body); r.digest == *call.before {
			r.verdict = settled
			return
		}
	}
	r.value, r.err, r.verdict = judge(call.op, a, call.secrets()...)
	if r.err == nil && call.parse != nil {
		r.read(call.parse)
	}
}

// request sends the call and reads the whole answer. Resty builds the request; the body goes in as a reader and comes out unread,
// since its own way of both copies them several times.
func (c *Client) request(ctx context.Context, with *resty.Client, head string, call call) (answer, error) {
	r := with.R().SetContext(ctx).SetDoNotParseResponse(true)
	r.Header["Accept"] = []string{"application/json"}
	if call.body != nil {
		r.Header["Content-Type"] = []string{"application/json"}
		r.SetBody(bytes.NewReader(call.body))
	}
	call.setHeader(r.Header)
	if !call.once {
		// Lets the transport send a write or removal again on a fresh connection where the kept one turns out to have been closed
		// by the head. It is a mark for the transport: empty, it is not sent.
		r.Header["X-Idempotency-Key"] = nil
	}
	response, err := r.Execute(call.method, call.url(head))
	if err != nil {
		return answer{}, err
	}
	defer response.RawBody().Close()
	body, err := readAll(response.RawBody(), response.RawResponse.ContentLength, c.answer)
	header := response.Header()
	return answer{response.StatusCode(), body, header.Get("Retry-After"), header.Get("ETag")}, err
}

// url is where the call goes at a head, tokens and all: it is never shown.
func (c call) url(head string) string {
	var b strings.Builder
	b.Grow(urlGuess)
	b.WriteString(head)
	b.WriteString(c.path)
	separator := byte('?')
	add := func(name, value string) {
		if value != "" {
			b.WriteByte(separator)
			b.WriteString(name)
			b.WriteByte('=')
			b.WriteString(url.QueryEscape(value))
			separator = '&'
		}
	}
	for name, values := range c.extra {
		for _, v := range values {
			add(name, v)
		}
	}
	add("contextID", c.name.Context.String())
	add("family", c.name.Family.String())
	add("Key", c.name.Key.String())
	if !c.inHeader {
		add("readToken", c.tokens.Read.Reveal())
		add("writeToken", c.tokens.Write.Reveal())
	}
	return b.String()
}

// setHeader puts into the header what heads with extensions take there.
func (c call) setHeader(h http.Header) {
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	if c.inHeader {
		set("Comet-Read-Token", url.PathEscape(c.tokens.Read.Reveal()))
		set("Comet-Write-Token", url.PathEscape(c.tokens.Write.Reveal()))
	}
	for _, t := range c.reads {
		h["Comet-Read-Token"] = append(h["Comet-Read-Token"], url.PathEscape(t.Reveal()))
	}
	set("If-Match", c.ifTag)
	if c.ifAbsent {
		set("If-None-Match", "*")
	}
}

const urlGuess = 256

var errTooLarge = errors.New("the answer is larger than this client takes")

// believed is how large a buffer is made for what a head merely says.
const believed = 1 << 20

// readAll reads a body of at most limit bytes. length is what the head says, or -1.
func readAll(body io.Reader, length, limit int64) ([]byte, error) {
	switch {
	case length > limit:
		return nil, errTooLarge
	case length >= 0 && length <= believed:
		whole := make([]byte, length)
		_, err := io.ReadFull(body, whole)
		return whole, err
	}
	whole, err := io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(whole)) > limit {
		return nil, errTooLarge
	}
	return whole, err
}

func (c *Client) report(a Attempt) {
	c.observer(a)
	if c.logger.Enabled(c.background, slog.LevelDebug) {
		c.logger.Debug("attempt", slog.String("op", a.Op), slog.String("head", a.Head), slog.Int("status", a.Status),
			slog.Duration("took", a.Duration), slog.String("class", string(a.Class)), slog.Bool("probe", a.Probe))
	}
}

// progress is how far one attempt got. The transport calls from its own goroutines.
type progress struct {
	sent       atomic.Int32 // how often the head may have got the request
	distrusted atomic.Bool  // the handshake failed for what one side showed
	failed     Class
}

func (p *progress) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { p.sent.Add(1) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if _, refused := errors.AsType[*tls.CertificateVerificationError](err); refused {
				p.distrusted.Store(true)
			}
		},
	})
}

// failure makes a result of an attempt that got no answer. The two questions that decide what may follow are answered here: whether
// the request can have arrived, and whether trust is what failed.
func (p *progress) failure(ctx context.Context, err error, secrets []scope.Token) result {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the URL has the tokens in it
	}
	alert := isAlert(err)
	distrust := p.distrusted.Load() || alert
	r := result{verdict: failed, arrived: p.sent.Load() > 0 && !alert}
	r.err = &Error{Kind: ErrUnavailable, Err: scrub(explain(err), secrets)}
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		p.failed = ClassCanceled
	case distrust:
		r.err.Kind, p.failed = ErrUnauthorized, ClassTLS
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		p.failed, r.late = ClassTimeout, true
	case errors.Is(err, errTooLarge):
		p.failed = ClassStatus
	case r.arrived:
		p.failed = ClassBroken
	default:
		p.failed = ClassConnect
	}
	return r
}

// isAlert reports whether the other side ended the connection by a TLS alert. With TLS 1.3 it is read in place of an answer when the
// head refuses our certificate: it never looked at the request.
func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// explain says in plain words what the runtime says of the commonest failures.
func explain(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &explained{"no answer in time", err}
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return &explained{"the connection was closed before the whole answer was there", err}
	case isAlert(err):
		return &explained{"the head ended the TLS connection, most likely for our certificate: " + err.Error(), err}
	}
	return err
}

// scrub leaves tokens out of what the runtime says: net/http quotes what a head sends in place of HTTP. An error with a token in it is
// replaced as a whole, so that nothing below it can be asked for its text.
func scrub(err error, secrets []scope.Token) error {
	if text := err.Error(); without(text, secrets) != text {
		return errors.New("the answer is not HTTP")
	}
	return err
}

type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }

func (p *progress) class(r result) Class {
	switch {
	case p.failed != "":
		return p.failed
	case r.verdict == settled:
		return ClassOK
	}
	return ClassStatus
}
