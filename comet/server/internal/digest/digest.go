// Package digest turns tokens into what stores may keep: keyed digests, from which nobody who sees the store's data alone can
// find or try out tokens. Every store uses this package, so that entries can move from one to another together with the key.
package digest

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/renci-nrig/comet-go/scope"
)

// Size is the length of keys and digests in bytes.
const Size = 32

// Digest stands for a token in a context. Compare with Equal, not with ==, where a stranger chose one of the two.
type Digest [Size]byte

// Equal takes the same time whether and wherever the two differ.
func (d Digest) Equal(other Digest) bool { return hmac.Equal(d[:], other[:]) }

// Key makes digests. It prints nothing of itself. The zero value is no key.
type Key struct {
	reveal func() []byte // a function, because fmt reaches everything else in structs that hold a Key
}

// NewKey returns a random key.
func NewKey() Key {
	b := make([]byte, Size)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return Key{func() []byte { return b }}
}

// ParseKey takes the bytes that Bytes returned.
func ParseKey(b []byte) (Key, error) {
	if len(b) != Size {
		return Key{}, errors.New("the key of the digests has not 32 bytes")
	}
	b = bytes.Clone(b)
	return Key{func() []byte { return b }}, nil
}

// Bytes returns the key itself, to be kept beside the digests. Whoever has it can try out guesses at tokens.
func (k Key) Bytes() []byte { return bytes.Clone(k.reveal()) }

// Equal reports whether both make the same digests.
func (k Key) Equal(other Key) bool { return hmac.Equal(k.reveal(), other.reveal()) }

// Format prints [redacted] for every verb.
func (Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[redacted]") }

// Read is the digest of a read token.
func (k Key) Read(id scope.ContextID, t scope.Token) Digest { return k.sum("read", id, t) }

// Write is the digest of a write token.
func (k Key) Write(id scope.ContextID, t scope.Token) Digest { return k.sum("write", id, t) }

// sum is HMAC-SHA256 over purpose, context and token, each after its length as four bytes, big endian.
func (k Key) sum(purpose string, id scope.ContextID, t scope.Token) Digest {
	h := hmac.New(sha256.New, k.reveal())
	add(h, purpose)
	add(h, id.String())
	add(h, t.Reveal())
	return Digest(h.Sum(nil))
}

func add(h hash.Hash, s string) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(s)))
	h.Write(length[:])
	h.Write([]byte(s))
}
