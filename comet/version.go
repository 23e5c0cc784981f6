package comet

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Version is what a head says about itself.
type Version struct {
	Version    string   `json:"version"`              // of the program
	API        string   `json:"apiVersion"`           // of the protocol
	Extensions []string `json:"extensions,omitempty"` // such as "watch/1"; none on deployed heads
	Store      string   `json:"store,omitempty"`      // identity of the store that the head serves; empty on deployed heads
}

// Offers reports whether the head offers an extension, such as "etag/1". What an extension announces behind a semicolon
// ("batch/1;max=40") does not count.
func (v Version) Offers(extension string) bool {
	_, offered := v.announced(extension)
	return offered
}

// announced is what the head announces behind an extension's name.
func (v Version) announced(extension string) (text string, offered bool) {
	for _, e := range v.Extensions {
		if name, text, _ := strings.Cut(e, ";"); name == extension {
			return text, true
		}
	}
	return "", false
}

// limit is the most that the head announces to take of an extension, 0 where it offers none.
func (v Version) limit(extension string) int {
	text, _ := v.announced(extension)
	for part := range strings.SplitSeq(text, ";") {
		if n, err := strconv.Atoi(strings.TrimPrefix(part, "max=")); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// HeadVersion is what one head answered to Versions.
type HeadVersion struct {
	Head    string
	Version Version
	Err     error // nil, or an *Error
}

var versionCall = call{op: opVersion, method: http.MethodGet, path: "/getVersion"}

// Version asks a head for its version, with failover.
func (c *Client) Version(ctx context.Context) (Version, error) {
	answer, _, err := c.do(ctx, versionCall)
	if err != nil {
		return Version{}, err
	}
	return parseVersion(answer.value), nil
}

// Versions asks every head for its version, all at the same time, and returns the answers in the order in which the heads were
// given to New. It neither heeds nor changes what the client thinks of the heads.
func (c *Client) Versions(ctx context.Context) []HeadVersion {
	answers := make([]HeadVersion, len(c.urls))
	var all sync.WaitGroup
	for i := range c.urls {
		all.Go(func() { answers[i] = c.versionOf(ctx, c.urls[i]) })
	}
	all.Wait()
	return answers
}

func (c *Client) versionOf(ctx context.Context, url string) HeadVersion {
	ctx, cancel := context.WithTimeout(ctx, c.attempt)
	defer cancel()
	v, r := c.version(ctx, url, false)
	return HeadVersion{Head: url, Version: v, Err: orNil(r.err)}
}

// saysWhatItIs reports whether this came from a COMET head, and not from something that answers anything.
func (v Version) saysWhatItIs() bool { return v.Version != "" || v.API != "" }

// version sends getVersion to one head. A refusal is an answer too: what does not know getVersion has no extensions.
func (c *Client) version(ctx context.Context, url string, probe bool) (Version, result) {
	r := c.send(ctx, url, versionCall, probe)
	if r.err != nil && r.verdict != settled {
		return Version{}, r
	}
	r.err = nil
	return parseVersion(r.value), r
}

// parseVersion takes what is there: deployed heads say less than ours. Each is a short line, for people see it.
func parseVersion(value json.RawMessage) Version {
	var v struct {
		Version    string   `json:"Comet version"`
		API        string   `json:"Comet API version"`
		Extensions []string `json:"Comet extensions"`
		Store      string   `json:"Comet store"`
	}
	if json.Unmarshal(value, &v) != nil {
		return Version{}
	}
	for i, e := range v.Extensions {
		v.Extensions[i] = clean(e, nil)
	}
	return Version{clean(v.Version, nil), clean(v.API, nil), v.Extensions, clean(v.Store, nil)}
}
