package comet

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// call is one operation, ready to be sent to any head.
type call struct {
	op     string
	method string
	path   string
	name   scope.Name // as much of it as the operation needs
	tokens scope.Tokens
	body   []byte
	parse  func(json.RawMessage) (any, *Error) // reads the answer; an error other than ErrNotFound means that the head makes no sense
	once   bool                                // one attempt that may arrive, no more: the caller settles what is unknown

	// A change that is made only where the entry is as the caller saw it. Only heads that offer it get such a call.
	ifTag    string // the tag of what was read
	ifAbsent bool   // there is no entry

	// A watch: what else stands in the query, the tokens that it looks with, and how long a head may hold it.
	extra url.Values
	reads []scope.Token
	held  time.Duration

	before *digest // of an answer that was read before: the same once more is not read again

	inside []scope.Token // the tokens of a batch, in its body
	needs  string        // an extension without which a head does not get the call

	inHeader bool // whether this head takes the tokens there
}

func (c call) conditional() bool { return c.ifTag != "" || c.ifAbsent }

// need is the extension that a head must offer to get the call, or empty.
func (c call) need() string {
	if c.conditional() {
		return extensionTags
	}
	return c.needs
}

// secrets are the tokens that the call carries.
func (c call) secrets() []scope.Token {
	return slices.Concat([]scope.Token{c.tokens.Read, c.tokens.Write}, c.reads, c.inside)
}

// entry says what the call is about.
func (c call) entry() string {
	var parts []string
	for _, p := range []string{c.name.Context.String(), c.name.Family.String(), c.name.Key.String()} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "/")
}

// The names of the operations, in errors and observations.
const (
	opRead    = "read"
	opList    = "list"
	opWrite   = "write"
	opDelete  = "delete"
	opVersion = "version"
	opWatch   = "watch"
)

// outcome says how sure the answer of a call is.
type outcome struct {
	mayHaveArrived bool // an earlier attempt may have been carried out, or may be still
}

// settledAnswer is what the head that settled a call answered.
type settledAnswer struct {
	value  json.RawMessage
	parsed any    // what the call's parse made of the value
	tag    string // of the state that the answer is about; empty where the head gives none
	digest digest // where the call has one of an answer before
}

// rounds is how often all heads are asked: an ill head may be well a moment later.
const rounds = 2

// do sends a call to one head after the other until one settles it.
func (c *Client) do(ctx context.Context, call call) (settledAnswer, outcome, error) {
	var (
		out     outcome
		tried   = &HeadsError{Op: call.op, Entry: call.entry()}
		refusal *Error // of a certificate, which one head more is asked about
		lost    []*head
		busy    = map[*head]bool{} // asked to be left alone for longer than this call waits
	)
	if c.isClosed() {
		return settledAnswer{}, out, &Error{Op: call.op, Entry: call.entry(), Err: ErrClosed}
	}
	for round := range rounds {
		if round > 0 && !pause(ctx, betweenRounds()) {
			break
		}
		c.probe()
		for heads := c.pool.order(busy); len(heads) > 0; {
			r, others := c.ask(ctx, heads, call)
			heads = heads[1+len(others):]
			for _, o := range others {
				tried.add(o.err)
				busy[o.from] = o.verdict == later
			}
			tried.add(r.err)
			out.mayHaveArrived = out.mayHaveArrived || r.twice
			switch {
			case r.verdict == settled && (call.op == opWrite || call.op == opDelete) && refusal == nil && refusedCertificate(r.err):
				refusal = r.err // perhaps of a certificate that has been renewed since the connection was made
				c.links[r.err.Head].renew(r.over)
				continue
			case r.verdict == settled:
				c.lose(call, lost)
				return settledAnswer{r.value, r.parsed, r.tag, r.digest}, out, orNil(r.err)
			case r.verdict == later:
				busy[r.from] = true
			case r.verdict == elsewhere && (r.answered || r.late):
				lost = append(lost, r.from)
			}
			out.mayHaveArrived = out.mayHaveArrived || r.arrived
			if ctx.Err() != nil || call.once && r.arrived || call.held > 0 && r.verdict == failed {
				return settledAnswer{}, out, unanswered(ctx, tried, out)
			}
		}
	}
	if refusal != nil && !out.mayHaveArrived {
		return settledAnswer{}, out, refusal
	}
	return settledAnswer{}, out, unanswered(ctx, tried, out)
}

// ask asks the first of the heads, and perhaps the second with it. It returns the result that counts, and that of the other, if one
// was asked.
func (c *Client) ask(ctx context.Context, heads []*head, call call) (r result, others []result) {
	if c.hedged(call, heads) {
		return c.race(ctx, heads, call)
	}
	return c.try(ctx, heads[0], call, len(heads)), nil
}

// try makes one attempt at a head, or two where it asks to come again later. left is how many heads may have to share what is left
// of the caller's time, this one included.
func (c *Client) try(ctx context.Context, h *head, call call, left int) result {
	r := c.attemptAt(ctx, h, call, left)
	if r.verdict == later && r.wait <= busyWait && pause(ctx, r.wait) {
		r = c.attemptAt(ctx, h, call, left)
	}
	switch {
	case ctx.Err() != nil: // it was the caller who ended it, which says nothing of the head
		c.pool.tried(h)
	case r.verdict == later:
		c.pool.busy(h, time.Now(), r.wait)
	case r.verdict == failed:
		c.note(h, r.err)
	case r.verdict == settled:
		c.note(h, nil)
	default:
		c.pool.tried(h)
	}
	return r
}

// lose notes that another head settled what these did not. One that this happens to time and again is ill.
func (c *Client) lose(call call, heads []*head) {
	for _, h := range heads {
		if c.pool.loses(h) {
			c.note(h, &Error{Op: call.op, Head: h.url, Kind: ErrUnavailable, Err: errLoses})
		}
	}
}

var errLoses = errors.New("gives no answer in time, or none that makes sense, while another head does")

// busyWait is how long a call waits for a head that asks to come again later. Where it asks for more, others are asked meanwhile.
const busyWait = 2 * time.Second

func (c *Client) attemptAt(ctx context.Context, h *head, call call, left int) (r result) {
	share := c.share(ctx, left)
	attempt, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	defer func() {
		r.from = h
		if r.verdict == failed && r.late && share < min(c.attempt, patience) {
			r.verdict = elsewhere // it was the caller who had no time, which says nothing of the head
		}
	}()
	about, asked := c.learn(attempt, h)
	if asked.err != nil {
		asked.arrived, asked.twice, asked.answered = false, false, false // that was the question before, and not the call
		return asked
	}
	if need := call.need(); need != "" && !about.Offers(need) {
		return result{verdict: elsewhere, err: &Error{Op: call.op, Entry: call.entry(), Head: h.url, Kind: ErrUnavailable, Err: errNotOffered}}
	}
	if call.held > 0 {
		attempt, cancel = context.WithTimeout(ctx, call.held+heldSlack)
		defer cancel()
	}
	call.inHeader = about.Offers(extensionHeaders)
	return c.send(attempt, h.url, call, false)
}

// heldSlack is by how much the answer to a call that is held may be late.
const heldSlack = 10 * time.Second

// The extensions that this client uses where a head offers them.
const (
	extensionHeaders = "headers/1"
	extensionTags    = "etag/1"
	extensionBatch   = "batch/1"
	extensionWatch   = "watch/1"
)

var errNotOffered = errors.New("does not offer what this call needs, while another head does")

// patience is how long a head has at least before it is ill for not answering.
const patience = time.Second

// learn asks a head about itself where that is not known: before it sees any token, and so that no client spreads over two stores.
// Of many who want to know one asks.
func (c *Client) learn(ctx context.Context, h *head) (Version, result) {
	if version, known := c.pool.knows(h, time.Now()); known {
		return version, result{}
	}
	select {
	case <-h.asking:
		defer func() { h.asking <- struct{}{} }()
	case <-ctx.Done():
		late := errors.Is(ctx.Err(), context.DeadlineExceeded)
		return Version{}, result{verdict: failed, late: late, err: &Error{Op: opVersion, Head: h.url, Kind: ErrUnavailable, Err: explain(ctx.Err())}}
	}
	if version, known := c.pool.knows(h, time.Now()); known {
		return version, result{}
	}
	return c.askVersion(ctx, h, false)
}

// askVersion asks a head about itself and remembers the answer. A result without error is that of a head which may be used.
func (c *Client) askVersion(ctx context.Context, h *head, probe bool) (Version, result) {
	version, r := c.version(ctx, h.url, probe)
	if r.err == nil && !c.pool.learns(h, version, time.Now()) {
		return Version{}, result{verdict: failed, err: &Error{Op: opVersion, Head: h.url, Kind: ErrUnavailable, Err: errOtherStore}}
	}
	return version, r
}

var errOtherStore = errors.New("serves another store than the other heads; name only heads of one store together")

// share is how long the next attempt may take: a little less than its part of the caller's time, so that it is the head and not
// the call that is found to be late.
func (c *Client) share(ctx context.Context, left int) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return c.attempt
	}
	return min(c.attempt, time.Until(deadline)*9/10/time.Duration(left))
}

// betweenRounds is the pause after all heads failed, with jitter so that clients do not come back together.
func betweenRounds() time.Duration {
	return 50*time.Millisecond + rand.N(50*time.Millisecond)
}

// pause waits, and reports false where the caller's time ends first, or would: then it does not wait at all.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// retryAfter reads the header of that name, seconds or a date; a second where it is missing or makes no sense.
func retryAfter(header string, now time.Time) time.Duration {
	if s, err := strconv.ParseUint(header, 10, 63); err == nil {
		return time.Duration(min(s, 1<<31)) * time.Second
	}
	if t, err := time.Parse(time.RFC1123, header); err == nil {
		return max(t.Sub(now), 0)
	}
	return time.Second
}

// orNil avoids the error that is not nil because its type is known.
func orNil(err *Error) error {
	if err == nil {
		return nil
	}
	return err
}
