package scope

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
)

// ValidPublicKey reports why a line is no public SSH key as authorized_keys has them: options or none, the type, the key in base64 and
// a comment. A private key is called one. The error never quotes the line.
func ValidPublicKey(line string) error {
	if strings.Contains(line, "PRIVATE KEY-----") || strings.HasPrefix(line, "PuTTY-User-Key-File") {
		return errors.New("is a private key, which stays where it was made; its public key is in the file beside it that ends in .pub")
	}
	kind, rest := cutOptions(strings.TrimSpace(line))
	if !isKeyType(kind) {
		kind, rest = cutOptions(strings.TrimSpace(rest))
	}
	text, _ := cutOptions(strings.TrimSpace(rest))
	blob, err := base64.StdEncoding.DecodeString(text)
	if err != nil || strings.ContainsAny(line, "\n\r\x00") || !isKeyType(kind) || !isKeyOf(kind, blob) {
		return errors.New("is not a public SSH key")
	}
	return nil
}

// isKeyOf reports whether the bytes are a key of that type: strings with their lengths before them, the first of which names the type
// (RFC 4253, 6.6). What the others mean is for SSH to judge.
func isKeyOf(kind string, blob []byte) bool {
	const length = 4
	parts := 0
	for ; len(blob) >= length; parts++ {
		n := uint64(binary.BigEndian.Uint32(blob))
		if blob = blob[length:]; n > uint64(len(blob)) || parts == 0 && string(blob[:n]) != kind {
			return false
		}
		blob = blob[n:]
	}
	return len(blob) == 0 && parts > 1
}
