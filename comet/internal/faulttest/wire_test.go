package faulttest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/renci-nrig/comet-go/comet/internal/history"
)

// wire sends single requests to single heads, so that one operation is one attempt, with all conditions that heads offer.
type wire struct {
	http     *http.Client
	identity string // of the store, once an answer told it
}

// attemptTime is how long one request may take.
const attemptTime = 250 * time.Millisecond

func newWire(config *tls.Config) *wire {
	return &wire{http: &http.Client{Timeout: attemptTime, Transport: &http.Transport{TLSClientConfig: config}}}
}

// heard is a whole answer, or that there is none.
type heard struct {
	status  int
	tag     uint64 // the revision in ETag; 0 where there is none
	value   json.RawMessage
	sent    bool // the head may have got the request
	nothing bool // there is no answer that makes sense
}

func (w *wire) ask(method, url string, header http.Header, body []byte) (h heard) {
	var sent atomic.Bool
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	defer func() { h.sent = sent.Load() }()
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		panic(err) // the names of groups make no bad URLs
	}
	r.Header = header
	response, err := w.http.Do(r)
	if err != nil {
		return heard{nothing: true}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if h.status = response.StatusCode; h.status == http.StatusNotModified {
		h.tag = w.revision(response.Header.Get("ETag"))
		return h
	}
	var envelope struct{ Value json.RawMessage }
	if err != nil || json.Unmarshal(text, &envelope) != nil || h.status >= 500 {
		return heard{nothing: true}
	}
	h.value, h.tag = envelope.Value, w.revision(response.Header.Get("ETag"))
	return h
}

// revision takes a tag apart.
func (w *wire) revision(tag string) uint64 {
	tag = strings.Trim(tag, `"`)
	dot := strings.LastIndexByte(tag, '.')
	if dot < 0 {
		return 0
	}
	w.identity = tag[:dot]
	n, err := strconv.ParseUint(tag[dot+1:], 10, 64)
	if err != nil {
		panic(err) // it is ours
	}
	return n
}

// tag is what asks for a revision.
func (w *wire) tag(revision uint64) string {
	return `"` + w.identity + "." + strconv.FormatUint(revision, 10) + `"`
}

func (g *group) header() http.Header {
	return http.Header{
		"Comet-Read-Token":  {url.PathEscape(g.tokens.Read.Reveal())},
		"Comet-Write-Token": {url.PathEscape(g.tokens.Write.Reveal())},
	}
}

func (g *group) query(key int) string {
	q := url.Values{"contextID": {g.names[0].Context.String()}, "family": {g.names[0].Family.String()}}
	if key >= 0 {
		q.Set("Key", g.names[key].Key.String())
	}
	return q.Encode()
}

// read reads one entry; of one whose revision is known it asks only whether it is still the same.
func (w *wire) read(head string, g *group, key int, known history.Seen) (history.Output, bool) {
	header := g.header()
	if known.Revision != 0 {
		header.Set("If-None-Match", w.tag(known.Revision))
	}
	h := w.ask(http.MethodGet, head+"/readScope?"+g.query(key), header, nil)
	if h.nothing {
		return history.Output{}, false
	}
	if h.status == http.StatusNotModified {
		return history.Output{Seen: []history.Seen{known}}, true
	}
	var entry struct{ Value string }
	if json.Unmarshal(h.value, &entry) != nil || h.status != http.StatusOK {
		return history.Output{}, false
	}
	seen := history.Seen{Revision: h.tag}
	if entry.Value != "" {
		seen.Value = decode([]byte(entry.Value))
	}
	return history.Output{Seen: []history.Seen{seen}}, true
}

// list reads all of a group; where the revision of its last change is known it asks only whether that is still the last. It tells which
// keys were read.
func (w *wire) list(head string, g *group, known uint64) (keys []int, out history.Output, ok bool) {
	header := g.header()
	if known != 0 {
		header.Set("If-None-Match", w.tag(known))
	}
	h := w.ask(http.MethodGet, head+"/enumerateScope?"+g.query(-1), header, nil)
	if h.status == http.StatusNotModified {
		return nil, history.Output{Changed: known}, true
	}
	var list struct{ Entries []struct{ Key, Value string } }
	if h.nothing || h.status != http.StatusOK || json.Unmarshal(h.value, &list) != nil {
		return nil, out, false
	}
	out = history.Output{Changed: h.tag, Seen: make([]history.Seen, history.Keys)}
	for _, e := range list.Entries {
		for k, name := range g.names {
			if name.Key.String() == e.Key {
				out.Seen[k].Value = decode([]byte(e.Value))
			}
		}
	}
	return all, out, true
}

// change makes changes: a single one in a request of its own, several, which are all writes or all removals, in a batch. It reports
// false where nothing was asked of the head at all.
func (w *wire) change(head string, g *group, changes []history.Change) (history.Output, bool) {
	h := w.send(head, g, changes)
	switch {
	case h.nothing && h.sent:
		return history.Output{Outcome: history.Unknown}, true
	case h.nothing:
		return history.Output{}, false
	case len(changes) > 1:
		return w.batch(h)
	case h.status == http.StatusPreconditionFailed:
		return history.Output{Outcome: history.Differs}, true
	case h.status != http.StatusOK:
		return history.Output{}, false
	}
	var told struct {
		Success, Error string
		Created        *bool
	}
	switch err := json.Unmarshal(h.value, &told); {
	case err != nil || told.Error == "" && told.Success == "":
		return history.Output{Outcome: history.Unknown}, true
	case told.Error != "":
		return history.Output{Outcome: history.NotThere}, true
	}
	return history.Output{Seen: []history.Seen{{Revision: h.tag, Created: told.Created}}}, true
}

func (w *wire) send(head string, g *group, changes []history.Change) heard {
	if len(changes) > 1 {
		return w.sendBatch(head, g, changes)
	}
	c, header := changes[0], g.header()
	switch {
	case c.IfAbsent:
		header.Set("If-None-Match", "*")
	case c.IfRevision != 0:
		header.Set("If-Match", w.tag(c.IfRevision))
	}
	if c.Value == "" {
		return w.ask(http.MethodDelete, head+"/deleteScope?"+g.query(c.Key), header, nil)
	}
	return w.ask(http.MethodPost, head+"/writeScope?"+g.query(c.Key), header, encode(c.Value))
}

type batchEntry struct {
	Family      string `json:"family"`
	Key         string `json:"key"`
	ReadToken   string `json:"readToken"`
	WriteToken  string `json:"writeToken"`
	Value       string `json:"value,omitempty"`
	IfMatch     string `json:"ifMatch,omitempty"`
	IfNoneMatch string `json:"ifNoneMatch,omitempty"`
}

func (w *wire) sendBatch(head string, g *group, changes []history.Change) heard {
	entries, call := make([]batchEntry, len(changes)), "/deleteScopes"
	for i, c := range changes {
		n := g.names[c.Key]
		e := batchEntry{Family: n.Family.String(), Key: n.Key.String(), ReadToken: g.tokens.Read.Reveal(), WriteToken: g.tokens.Write.Reveal()}
		if c.Value != "" {
			e.Value, call = string(encode(c.Value)), "/writeScopes"
		}
		switch {
		case c.IfAbsent:
			e.IfNoneMatch = "*"
		case c.IfRevision != 0:
			e.IfMatch = w.tag(c.IfRevision)
		}
		entries[i] = e
	}
	body, err := json.Marshal(map[string]any{"contextId": g.names[0].Context.String(), "entries": entries})
	if err != nil {
		panic(err)
	}
	return w.ask(http.MethodPost, head+call, http.Header{}, body)
}

func (w *wire) batch(h heard) (history.Output, bool) {
	var refused struct{ Entry int }
	switch h.status {
	case http.StatusPreconditionFailed, http.StatusNotFound:
		if json.Unmarshal(h.value, &refused) != nil {
			return history.Output{}, false
		}
		outcome := history.Differs
		if h.status == http.StatusNotFound {
			outcome = history.NotThere
		}
		return history.Output{Outcome: outcome, Index: refused.Entry}, true
	case http.StatusOK:
	default:
		return history.Output{}, false
	}
	var made struct {
		Entries []struct {
			Created bool
			Rev     string
		}
	}
	if json.Unmarshal(h.value, &made) != nil || len(made.Entries) == 0 {
		return history.Output{Outcome: history.Unknown}, true
	}
	var out history.Output
	for _, e := range made.Entries {
		out.Seen = append(out.Seen, history.Seen{Revision: w.revision(e.Rev), Created: &e.Created})
	}
	return out, true
}
