package sshkey

import (
	"crypto/rsa"
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/comet/guest/internal/block"
)

// Canonical parses text that must hold one public key and nothing else, and writes it anew, as one line without its end, without what a
// stranger could hide in it: options, further lines, control characters. Errors do not quote it.
func Canonical(text string) (string, error) {
	options, line, err := parse(text)
	if err == nil && len(options) > 0 {
		return "", errors.New("is an SSH public key with options")
	}
	return line, err
}

// WithOptions is Canonical for keys that may have options, such as from="10.0.0.0/8", which stay as they are.
func WithOptions(text string) (string, error) {
	options, line, err := parse(text)
	if err != nil || len(options) == 0 {
		return line, err
	}
	return strings.Join(options, ",") + " " + line, nil
}

func parse(text string) (options []string, line string, err error) {
	text = strings.TrimSpace(text)
	if strings.ContainsAny(text, "\n\r\x00") {
		return nil, "", errors.New("has more than one line")
	}
	key, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	switch {
	case err != nil: // which may quote it
		return nil, "", errors.New("is not an SSH public key")
	case len(rest) > 0:
		return nil, "", errors.New("has more than one line")
	}
	for _, option := range options {
		if strings.ContainsFunc(option, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, "", errors.New("has a control character in its options")
		}
		if block.MayMark(option) {
			return nil, "", errors.New("has the marker of a block in its options")
		}
	}
	if err := strong(key); err != nil {
		return nil, "", err
	}
	return options, Line(key, comment), nil
}

// strong refuses keys that cannot be trusted with a login, and certificates, which are none in such a place.
func strong(key ssh.PublicKey) error {
	if _, ok := key.(*ssh.Certificate); ok {
		return errors.New("is an SSH certificate, not a key")
	}
	if key.Type() == "ssh-dss" {
		return errors.New("is a DSA key, which SSH servers do not take any more")
	}
	if crypto, ok := key.(ssh.CryptoPublicKey); ok {
		if r, ok := crypto.CryptoPublicKey().(*rsa.PublicKey); ok && r.N.BitLen() < minRSA {
			return errors.New("is an RSA key of less than 2048 bits")
		}
	}
	return nil
}

const minRSA = 2048

// Line writes a public key as one line without its end.
func Line(key ssh.PublicKey, comment string) string {
	return strings.TrimSpace(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + CleanComment(comment))
}

// WithoutComment returns the type and the base64 of a canonical line.
func WithoutComment(line string) string {
	if fields := strings.Fields(line); len(fields) > 2 {
		return fields[0] + " " + fields[1]
	}
	return line
}

const maxComment = 200

// CleanComment keeps what a comment usually has: letters, digits and some signs.
func CleanComment(comment string) string {
	comment = strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != '#' || r == ' ' {
			return r
		}
		return -1
	}, comment)
	return strings.TrimSpace(comment[:min(len(comment), maxComment)])
}
