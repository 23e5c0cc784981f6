package server

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// What a head says of itself, on every answer and in getVersion: the deployed program whose protocol it speaks.
const (
	Version    = "1.0.5"
	APIVersion = "1.0.0"
)

// MaxValue is the longest value that a head takes, in bytes.
const MaxValue = 1 << 20

// MaxOwner is the longest owner of an entry, in bytes.
const MaxOwner = 4096

// Head answers COMET's calls from a store. It is an [http.Handler] that many goroutines may use at once.
type Head struct {
	store  Store
	log    *slog.Logger
	trust  func(*tls.ConnectionState) bool // nil: nobody
	open   bool                            // whether certificates do not matter
	strong bool                            // whether weak tokens are refused
	plain  bool                            // whether nothing is offered beyond the deployed protocol

	creators []string // nil: all who are trusted
	owners   bool     // whether entries have owners
	limits   Limits
	salt     [32]byte // of the digests by which clients are told apart
	rates    rates
	waiting  places
	observe  func(Answered)
	access   *slog.Logger
	audit    *slog.Logger
}

// An Option changes what New makes.
type Option func(*Head)

// WithTrust says which connections may create and delete entries: those for which trusted returns true. It is asked about once a
// minute for each connection that needs it. Package tlsconfig has such a function.
func WithTrust(trusted func(*tls.ConnectionState) bool) Option {
	return func(h *Head) { h.trust = trusted }
}

// WithoutCertificateChecks lets everybody create and delete entries who has the tokens, as the public heads do.
func WithoutCertificateChecks() Option {
	return func(h *Head) { h.open = true }
}

// WithCreators lets only clients with one of these subjects, in the form of [Subject], create and delete entries; their certificates
// must be trusted besides.
func WithCreators(subjects ...string) Option {
	return func(h *Head) { h.creators = append([]string{}, subjects...) }
}

// WithOwners keeps with each entry the subject of the client that created it, in the form of [Subject], and lets only clients of that
// subject delete it, whatever tokens others have. Entries that were created without it have no owner, and whoever may delete can
// delete them. Changing takes the tokens alone, as without.
func WithOwners() Option {
	return func(h *Head) { h.owners = true }
}

// WithStrongTokens refuses writes with tokens that do not meet the strength rule.
func WithStrongTokens() Option {
	return func(h *Head) { h.strong = true }
}

// WithoutExtensions makes a head that offers nothing beyond the protocol of deployed heads, to test clients against.
func WithoutExtensions() Option {
	return func(h *Head) { h.plain = true }
}

// WithLogger says where the head logs; by default to slog.Default().
func WithLogger(log *slog.Logger) Option {
	return func(h *Head) { h.log = log }
}

// New returns a head that answers from store. It does not close the store.
func New(store Store, opts ...Option) *Head {
	h := &Head{store: store, log: slog.Default()}
	rand.Read(h.salt[:])
	for _, o := range opts {
		o(h)
	}
	return h
}

// ServeHTTP answers one call. Every answer but /openapi.json is the protocol's JSON envelope. Where the client has left it panics with
// [http.ErrAbortHandler], which ends the connection.
func (h *Head) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{Request: r, began: time.Now(), call: "unknown"}
	if len(r.TransferEncoding) > 0 {
		// It may have had a Content-Length as well, which net/http takes away and goes on. What a proxy before the head took for the
		// rest of this request would be the next one.
		w.Header().Set("Connection", "close")
	}
	value, err := h.route(w, v)
	a := success(value)
	doc, raw := value.(document)
	switch {
	case raw:
		doc.send(w)
	case errors.Is(err, errNotModified):
		a.code = http.StatusNotModified
		w.WriteHeader(a.code)
	case err != nil && h.left(v, err):
		a.code = codeLeft
	case err != nil:
		a = h.refusal(v, err)
		fallthrough
	default:
		a.send(w)
	}
	h.end(v, a)
	if a.code == codeLeft {
		panic(http.ErrAbortHandler)
	}
}
