package tlsconfig

import (
	"encoding/asn1"
	"encoding/binary"
	"fmt"
)

// checkJKS walks the records of a Java key store and holds each length and count against the bytes that are left. The library
// allocates what a length says before it has checked the digest: thirty bytes could otherwise take gigabytes.
//
// The layout, all big-endian: magic, version (1 or 2), count of entries; per entry a tag (1 private key, 2 trusted
// certificate), the alias as UTF with two bytes of length, milliseconds (8 bytes); a private key is an EncryptedPrivateKeyInfo
// with four bytes of length and a count of certificates; a certificate is its type as UTF (version 2) and DER with four
// bytes of length. At the end twenty bytes of SHA-1.
func checkJKS(data []byte) error {
	w := &walk{rest: data}
	w.skip(4, "magic")
	version := w.uint32("version")
	if w.err == nil && version != 1 && version != 2 {
		return fmt.Errorf("%w JKS: version %d; 1 and 2 exist", ErrMalformed, version)
	}
	entries := w.uint32("count of entries")
	for i := uint32(0); i < entries && w.err == nil; i++ {
		w.entry(version)
	}
	if w.err == nil && len(w.rest) != 20 {
		w.fail("its end: %d bytes are left for a digest of 20", len(w.rest))
	}
	return w.err
}

// walk steps through a byte slice; after the first failure every step does nothing.
type walk struct {
	rest []byte
	err  error
}

func (w *walk) fail(format string, args ...any) {
	w.err = fmt.Errorf("%w JKS, cut short or damaged, at %s", ErrMalformed, fmt.Sprintf(format, args...))
}

func (w *walk) skip(n uint64, what string) []byte {
	if w.err != nil {
		return nil
	}
	if n > uint64(len(w.rest)) {
		w.fail("%s: %d bytes announced, %d left", what, n, len(w.rest))
		return nil
	}
	taken := w.rest[:n]
	w.rest = w.rest[n:]
	return taken
}

func (w *walk) uint32(what string) uint32 {
	if b := w.skip(4, what); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (w *walk) text(what string) {
	if b := w.skip(2, what); b != nil {
		w.skip(uint64(binary.BigEndian.Uint16(b)), what)
	}
}

func (w *walk) entry(version uint32) {
	tag := w.uint32("entry")
	w.text("alias")
	w.skip(8, "date")
	switch {
	case w.err != nil:
	case tag == 1:
		w.key(version)
	case tag == 2:
		w.certificate(version)
	default:
		w.fail("entry: kind %d; 1 (private key) and 2 (trusted certificate) exist", tag)
	}
}

func (w *walk) key(version uint32) {
	encrypted := w.skip(uint64(w.uint32("private key")), "private key")
	if w.err == nil && !roomForKey(encrypted) {
		w.fail("private key: not an encrypted key, or too short for one")
		return
	}
	count := w.uint32("count of certificates")
	if uint64(count) > uint64(len(w.rest))/4 { // before a slice of that capacity is made
		w.fail("count of certificates: %d in %d bytes", count, len(w.rest))
	}
	for i := uint32(0); i < count && w.err == nil; i++ {
		w.certificate(version)
	}
}

func (w *walk) certificate(version uint32) {
	if version == 2 {
		w.text("certificate type")
	}
	w.skip(uint64(w.uint32("certificate")), "certificate")
}

// roomForKey tells whether an encrypted key holds its salt and digest, twenty bytes each; the library slices without looking.
func roomForKey(encrypted []byte) bool {
	var info struct {
		Algorithm asn1.RawValue
		Data      []byte
	}
	rest, err := asn1.Unmarshal(encrypted, &info)
	return err == nil && len(rest) == 0 && len(info.Data) > 40 && len(encrypted) <= keyCap
}
