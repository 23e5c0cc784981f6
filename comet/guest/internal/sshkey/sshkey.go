// Package sshkey reads SSH public keys that others wrote, and writes them anew: one key, one line, nothing hidden in it.
package sshkey

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Canonical parses text that must hold one public key and nothing else, and writes it anew without what a stranger could hide in it:
// options, further lines, control characters.
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
	}
	return options, Line(key, Comment(comment)), strong(key)
}

const leastRSA = 2048 // bits

func strong(key ssh.PublicKey) error {
	if c, ok := key.(ssh.CryptoPublicKey); ok {
		if r, ok := c.CryptoPublicKey().(*rsa.PublicKey); ok && r.N.BitLen() < leastRSA {
			return fmt.Errorf("is an RSA key of %d bits, where %d are the least", r.N.BitLen(), leastRSA)
		}
	}
	return nil
}

// Line writes a key as it stands in an authorized_keys, without a newline.
func Line(key ssh.PublicKey, comment string) string {
	return strings.TrimSpace(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + comment)
}

const maxComment = 200

// Comment keeps what a comment usually has: letters, digits and some signs.
func Comment(comment string) string {
	comment = strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != '#' || r == ' ' {
			return r
		}
		return -1
	}, comment)
	return strings.TrimSpace(comment[:min(len(comment), maxComment)])
}
