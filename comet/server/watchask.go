package server

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// The query parameters of a watch alone.
const (
	paramSince = "since"
	paramWait  = "wait"
)

// What a watch may ask for.
const (
	defaultWait     = time.Minute
	longestWait     = 2 * time.Minute
	maxReadTokens   = 16
	maxFamilyParams = 64 // whoever wants more names none and gets all
)

// watchAsk is what a watch asks for.
type watchAsk struct {
	id       scope.ContextID
	families []scope.Family // none: all
	tokens   []scope.Token  // at least one
	since    uint64         // or everything
	wait     time.Duration
}

// everything lies in the future of every store, which therefore answers with the whole state.
const everything uint64 = math.MaxUint64

func (h *Head) parseWatch(v *visit) (watchAsk, error) {
	query, err := url.ParseQuery(v.URL.RawQuery)
	if err != nil {
		return watchAsk{}, errQuery
	}
	a := &ask{about: v, query: query}
	w := watchAsk{
		id:       a.context(),
		families: a.families(),
		tokens:   a.headerTokens(v.Header[headerRead]),
		since:    h.since(a),
		wait:     a.wait(),
	}
	return w, a.err
}

func (a *ask) families() (families []scope.Family) {
	given := a.query[paramFamily]
	if len(given) > maxFamilyParams {
		a.fail(bad(fmt.Sprintf("Parameter '%s' is there more than %d times; without it all families are watched", paramFamily, maxFamilyParams), "too many families"))
		return nil
	}
	for _, text := range given {
		one := &ask{query: url.Values{paramFamily: {text}}}
		families = append(families, take(one, paramFamily, scope.ParseFamily))
		if one.err != nil {
			a.fail(one.err)
		}
	}
	return families
}

// headerTokens takes read tokens from the header alone. Proxies may join header lines by commas, which tokens have percent-encoded.
func (a *ask) headerTokens(lines []string) (tokens []scope.Token) {
	if a.query.Has(paramRead) || a.query.Has(paramWrite) {
		a.fail(bad("Tokens of this call stand in the header '"+headerRead+"', not in the query", "token in the query"))
	}
	if len(lines) == 0 {
		a.fail(bad("Required header '"+headerRead+"' is not present", "missing header"))
		return nil
	}
	for text := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		text, err := url.PathUnescape(strings.TrimSpace(text))
		if err != nil {
			a.fail(bad("Header '"+headerRead+"' is not percent-encoded", "invalid header"))
			return nil
		}
		token, err := scope.ParseToken(text)
		if err != nil {
			a.fail(bad("Header '"+headerRead+"' has what cannot be a token", "invalid header"))
			return nil
		}
		tokens = append(tokens, token)
	}
	if len(tokens) > maxReadTokens {
		a.fail(bad(fmt.Sprintf("Header '%s' has more than %d tokens", headerRead, maxReadTokens), "too many tokens"))
	}
	return tokens
}

// since reads the revision that the client has. What this store never gave out is a client that has nothing.
func (h *Head) since(a *ask) uint64 {
	if !a.query.Has(paramSince) {
		return everything
	}
	if revision, ours := h.revisionOf(a.text(paramSince)); ours {
		return revision
	}
	return everything
}

func (a *ask) wait() time.Duration {
	if !a.query.Has(paramWait) {
		return defaultWait
	}
	d, err := time.ParseDuration(a.text(paramWait))
	if err != nil || d < 0 || d > longestWait {
		a.fail(bad(fmt.Sprintf("Parameter '%s' is not a duration such as 30s, from 0s to %.0fs", paramWait, longestWait.Seconds()), "invalid parameter"))
	}
	return d
}
