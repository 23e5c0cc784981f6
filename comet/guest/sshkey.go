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

	"github.com/renci-nrig/comet-go/comet/guest/internal/sshkey"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

const sshFolder = "root/.ssh"

// keyFiles are the keys of root that are published, the first one that is there.
var keyFiles = []string{"id_ed25519", "id_rsa", "id_ecdsa"}

// ownKey returns root's public key as one line with its newline. Where root has none it makes an ed25519 pair.
func (g *Guest) ownKey() (string, error) {
	for _, name := range keyFiles {
		line, err := g.publicKey(sshFolder + "/" + name)
		if !errors.Is(err, fs.ErrNotExist) {
			return line, err
		}
	}
	return g.makeKey(sshFolder + "/" + keyFiles[0])
}

// publicKey returns the public key that stands beside the private key called name.
func (g *Guest) publicKey(name string) (string, error) {
	text, err := atomicfile.Read(g.root, name+".pub", atomicfile.ReplaceOptions{})
	if errors.Is(err, fs.ErrNotExist) {
		return g.derive(name)
	}
	if err != nil {
		return "", err
	}
	line, err := sshkey.Canonical(string(text))
	if err != nil {
		return "", fmt.Errorf("/%s.pub: %w", name, err)
	}
	return line + "\n", nil
}

// derive makes the public key that is missing beside a private one.
func (g *Guest) derive(name string) (string, error) {
	text, err := atomicfile.Read(g.root, name, atomicfile.ReplaceOptions{})
	if err != nil {
		return "", err
	}
	private, err := ssh.ParsePrivateKey(text)
	if err != nil { // which may say too much of the key
		return "", fmt.Errorf("/%s is there without its .pub, which cannot be made from it; make it with ssh-keygen -y", name)
	}
	line := sshkey.Line(private.PublicKey(), g.comment()) + "\n"
	return line, g.writeNew(name+".pub", []byte(line), 0o644)
}

// makeKey makes a pair, the private key first: a public key without it would be published and be of no use.
func (g *Guest) makeKey(name string) (string, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make an SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, g.comment())
	if err != nil {
		return "", fmt.Errorf("make an SSH key: %w", err)
	}
	if err := g.makeFolder(sshFolder, 0o700); err != nil {
		return "", err
	}
	if err := g.writeNew(name, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	return g.derive(name)
}

func (g *Guest) comment() string { return sshkey.Comment("root@" + g.hostName()) }

// writeNew writes a file that is not there. One that came meanwhile is not replaced.
func (g *Guest) writeNew(name string, content []byte, mode fs.FileMode) error {
	_, err := atomicfile.Replace(g.root, name, content, atomicfile.ReplaceOptions{
		Expect:  []byte{},
		New:     &atomicfile.Options{Mode: mode},
		NoLinks: true,
	})
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
