package guest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

const sshFolder = "root/.ssh"

// keyFiles are the keys of root that are published, the first one that is there.
var keyFiles = []string{"id_ed25519", "id_rsa", "id_ecdsa"}

// ownKey returns root's public key as one line with its newline. Where root has none it makes an ed25519 pair.
func (g *Guest) ownKey() (string, error) {
	for _, name := range keyFiles {
		text, err := g.root.ReadFile(sshFolder + "/" + name + ".pub")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		line, err := canonicalKey(string(text))
		if err != nil {
			return "", fmt.Errorf("%s/%s.pub: %w", sshFolder, name, err)
		}
		return line + "\n", nil
	}
	return g.makeKey()
}

func (g *Guest) makeKey() (string, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make an SSH key: %w", err)
	}
	comment := "root@" + g.hostName()
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return "", fmt.Errorf("make an SSH key: %w", err)
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("make an SSH key: %w", err)
	}
	line := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(sshPublic)), "\n") + " " + comment + "\n"
	if err := g.makeFolder(sshFolder, 0o700); err != nil {
		return "", err
	}
	// The private key first: a public key without it would be published and be of no use.
	if err := g.writeNew(sshFolder+"/"+keyFiles[0], pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	return line, g.writeNew(sshFolder+"/"+keyFiles[0]+".pub", []byte(line), 0o644)
}

func (g *Guest) writeNew(name string, content []byte, mode fs.FileMode) error {
	_, err := atomicfile.Replace(g.root, name, content, atomicfile.ReplaceOptions{New: &atomicfile.Options{Mode: mode}, NoLinks: true})
	return err
}

// makeFolder makes what is missing of a folder's path, the last one with this mode.
func (g *Guest) makeFolder(name string, mode fs.FileMode) error {
	parent, _, _ := strings.Cut(name, "/")
	if err := g.root.Mkdir(parent, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := g.root.Mkdir(name, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// canonicalKey parses text that must hold one public key and nothing else, and writes it anew without what a stranger could hide
// in it: options, further lines, control characters.
func canonicalKey(text string) (string, error) {
	text = strings.TrimSpace(text)
	if strings.ContainsAny(text, "\n\r\x00") {
		return "", errors.New("has more than one line")
	}
	key, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	switch {
	case err != nil:
		return "", errors.New("is not an SSH public key")
	case len(options) > 0:
		return "", errors.New("is an SSH public key with options")
	case len(rest) > 0:
		return "", errors.New("has more than one line")
	}
	line := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n")
	if comment = cleanComment(comment); comment != "" {
		line += " " + comment
	}
	return line, nil
}

const maxComment = 200

// cleanComment keeps what a comment usually has: letters, digits and some signs.
func cleanComment(comment string) string {
	comment = strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != '#' || r == ' ' {
			return r
		}
		return -1
	}, comment)
	return strings.TrimSpace(comment[:min(len(comment), maxComment)])
}
