package comet

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/renci-nrig/comet-go/scope"
)

// This file holds what heads say and what we make of it, deployed heads' quirks included, in one place.

// envelope is what heads answer, with value still to be read. status is the text OK or status, or a number in the error pages of
// deployed heads' framework.
type envelope struct {
	Message string          `json:"message"`
	Value   json.RawMessage `json:"value"`
	Error   string          `json:"error"`
}

// answer is one HTTP answer, whole.
type answer struct {
	status     int
	body       []byte
	retryAfter string // the header of that name
	tag        string // the header ETag
}

// verdict is what an answer means for the call.
type verdict int

const (
	settled   verdict = iota // the call ends here, well or refused
	elsewhere                // another head may do better; this one is not ill
	later                    // the head asks to wait
	failed                   // the head is ill
)

// judge reads the envelope of an answer to an operation. It returns the value where the head says that all went well, else an error
// with everything but operation and head filled in, and what that means for the call.
func judge(op string, a answer, secrets ...scope.Token) (json.RawMessage, *Error, verdict) {
	var e envelope
	parseErr := json.Unmarshal(a.body, &e)
	said := func() string { return clean(e.Message, secrets) }
	switch {
	case a.status == http.StatusOK && parseErr != nil:
		return nil, &Error{Status: a.status, Kind: ErrUnavailable, Err: errNotEnvelope}, failed
	case a.status == http.StatusOK:
		if text := valueError(e.Value); text != "" {
			text = clean(text, secrets)
			return nil, &Error{Status: a.status, Message: text, Kind: kindOf(a.status, text)}, settled
		}
		if (op == opWrite || op == opDelete) && !confirmed(e.Value) {
			return nil, &Error{Status: a.status, Kind: ErrUnavailable, Err: errUnconfirmed}, elsewhere
		}
		return e.Value, nil, settled
	case a.status == http.StatusTooManyRequests:
		return nil, &Error{Status: a.status, Message: said(), Kind: ErrUnavailable}, later
	case a.status == http.StatusRequestTimeout || a.status == http.StatusTooEarly:
		return nil, &Error{Status: a.status, Message: said(), Kind: ErrUnavailable}, elsewhere
	case a.status >= 500:
		return nil, &Error{Status: a.status, Message: said(), Kind: ErrUnavailable}, failed
	case a.status >= 400 && parseErr != nil && len(bytes.TrimSpace(a.body)) > 0: // a proxy's page, most likely
		return nil, &Error{Status: a.status, Kind: ErrUnavailable, Message: pageMessage(a.body)}, elsewhere
	case a.status >= 400:
		return nil, &Error{Status: a.status, Message: said(), Kind: kindOf(a.status, e.Message)}, settled
	}
	return nil, &Error{Status: a.status, Kind: ErrUnavailable, Message: textNoHead}, failed
}

const textNoHead = "is not an answer of a COMET head"

// pageMessage says what is wrong where something else than a head refuses. Go's servers and Java's say in their own words that they
// were asked without TLS.
func pageMessage(body []byte) string {
	if bytes.Contains(body, []byte("to an HTTPS server")) || bytes.Contains(body, []byte("requires TLS")) {
		return "speaks TLS: name it with https://"
	}
	return textNoHead
}

var errNotEnvelope = errors.New("the answer is not the JSON of a COMET head")

// confirmed reports whether a head says that it did what it was asked. Deployed heads answer {} or null where something failed
// inside: whether it happened is unknown then.
func confirmed(value json.RawMessage) bool {
	return bytes.Contains(value, []byte(`"Success"`))
}

var errUnconfirmed = errors.New("the head does not say whether it was done")

// valueError returns the text of {"error":"…"}, which deployed heads send with status 200.
func valueError(value json.RawMessage) string {
	if !bytes.Contains(value, []byte(`"error"`)) { // the common case, without decoding
		return ""
	}
	var v struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(value, &v) != nil {
		return ""
	}
	return v.Error
}

// texts maps what heads say to what callers branch on. It is the one place that knows deployed heads' wording.
var texts = []struct {
	part string
	kind error
}{
	{"no such entry", ErrNotFound},
	{"failed to read scope: scope already deleted", ErrNotFound},
	{"scope already deleted", ErrConflict},
	{"incorrect write token", ErrUnauthorized},
	{textCertificate, ErrUnauthorized},
	{"token cannot be the same", ErrInvalid},
	{"token not strong enough", ErrInvalid},
}

// textCertificate is how heads refuse a certificate; deployed heads also do so for a moment while they race with each other.
const textCertificate = "invalid certificate"

func kindOf(status int, text string) error {
	lower := strings.ToLower(text)
	for _, t := range texts {
		if strings.Contains(lower, t.part) {
			return t.kind
		}
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrUnauthorized
	case http.StatusConflict, http.StatusPreconditionFailed:
		return ErrConflict
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusUnprocessableEntity:
		return ErrInvalid
	}
	return nil
}

// refusedCertificate reports whether a head refused a write for the certificate. On a modification that is no lasting refusal.
func refusedCertificate(err *Error) bool {
	return err != nil && err.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(err.Message), textCertificate)
}

// wireEntry is one entry as read and enumerate answer it. V is how the value is taken: a *string, as all heads send it, or a text,
// which takes whatever it is.
type wireEntry[V any] struct {
	ContextID string `json:"contextId"`
	Family    string `json:"family"`
	Key       string `json:"key"`
	Value     V      `json:"value"`
}

// text is a JSON string, or the text of any other JSON.
type text []byte

func (t *text) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	if raw[0] != '"' {
		*t = append((*t)[:0], raw...)
		return nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	*t = text(s)
	return err
}

const redacted = "[redacted]"

// maxMessage bounds what is repeated of a head's words.
const maxMessage = 300

// clean makes one short line of what a head said, without the call's secrets.
func clean(said string, secrets []scope.Token) string {
	said = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, without(said, secrets))
	if len(said) > maxMessage {
		said = strings.ToValidUTF8(said[:maxMessage], "") + "…"
	}
	return strings.TrimSpace(said)
}

// without leaves secrets out of a text, in every form that a head may repeat them in. The text is gone through once: a secret such as
// "e" is part of what stands in its place.
func without(said string, secrets []scope.Token) string {
	var forms []string
	for _, s := range secrets {
		if !s.IsZero() {
			forms = append(forms, formsOf(s.Reveal())...)
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var pairs []string
	for _, form := range slices.Compact(forms) {
		pairs = append(pairs, form, redacted)
	}
	return strings.NewReplacer(pairs...).Replace(said)
}

// formsOf is a secret as it is, percent-encoded as in a query or a path, in either case of the digits, and as in JSON.
func formsOf(secret string) []string {
	query, inPath := url.QueryEscape(secret), url.PathEscape(secret)
	inJSON, _ := json.Marshal(secret) // text always encodes
	return []string{secret, query, lowerHex(query), inPath, lowerHex(inPath), string(inJSON[1 : len(inJSON)-1])}
}

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

func lowerHex(s string) string { return percent.ReplaceAllStringFunc(s, strings.ToLower) }
